"""Bodies of clusters in api-version 2018-05-01: what may be written, and what is filled in.

Everything that the service knew is here, also what a place does not do. Known from: SDK 2.0.0's models, the
service's published schemas, and recorded traffic for the defaults.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from batchai_scenario.schema.body import Body, lower
from batchai_scenario.schema.common import (
    ENTITY,
    MAX_NODES,
    PROVISIONING,
    EnvironmentVariable,
    MountVolumes,
    SecretReference,
    SecretVariable,
    Subnet,
    User,
)
from batchai_scenario.schema.faults import Fault
from batchai_scenario.schema.kernel import length_faults
from batchai_scenario.schema.names import (
    ClusterVmSize,
    ComponentId,
    ImageId,
    SetupPath,
    Something,
    fault,
    faults,
)

NodeCount = Annotated[int, Field(ge=0, le=MAX_NODES)]


class ManualScale(Body):
    """A fixed number of nodes."""

    target_node_count: NodeCount = 0
    node_deallocation_option: Annotated[
        Literal["requeue", "terminate", "waitforjobcompletion"], BeforeValidator(lower)
    ] = "requeue"


class AutoScale(Body):
    """A number of nodes between two bounds."""

    minimum_node_count: NodeCount
    maximum_node_count: NodeCount
    initial_node_count: NodeCount = 0

    @model_validator(mode="after")
    def _between(self) -> AutoScale:
        most = self.maximum_node_count
        counts = {"minimumNodeCount": self.minimum_node_count, "initialNodeCount": self.initial_node_count}
        found = [
            Fault(name, f"it is above the maximumNodeCount, {most}")
            for name, count in counts.items()
            if count > most
        ]
        if found:
            raise faults(found)
        return self


class ScaleSettings(Body):
    """One of the two ways to size a cluster."""

    manual: ManualScale | None = None
    auto_scale: AutoScale | None = None


def _one_way(scale: ScaleSettings) -> ScaleSettings:
    if (scale.manual is None) == (scale.auto_scale is None):
        raise fault("it takes exactly one of manual and autoScale")
    return scale


Scale = Annotated[ScaleSettings, AfterValidator(_one_way)]


class ImageReference(Body):
    """A virtual machine's image."""

    publisher: str
    offer: str
    sku: str
    version: str = "latest"
    virtual_machine_image_id: ImageId | None = None


class VirtualMachineConfiguration(Body):
    """What a node is installed with."""

    image_reference: ImageReference | None = None


class SetupTask(Body):
    """A command that prepares each node."""

    read_only = frozenset({"stdouterrpathsuffix"})
    command_line: Something
    environment_variables: list[EnvironmentVariable] | None = None
    secrets: list[SecretVariable] | None = None
    std_out_err_path_prefix: SetupPath


class Component(Body):
    """A reference to a component of Application Insights."""

    id: ComponentId


class AppInsights(Body):
    """Where performance counters go."""

    component: Component
    instrumentation_key: str | None = None
    instrumentation_key_secret_reference: SecretReference | None = None

    @model_validator(mode="after")
    def _one(self) -> AppInsights:
        if not self.instrumentation_key and self.instrumentation_key_secret_reference is None:
            raise faults([Fault("instrumentationKey", "it is required")])
        return self


class PerformanceCounters(Body):
    """Whether performance counters are sent."""

    app_insights_reference: AppInsights


class NodeSetup(Body):
    """What is done to each node before it is idle."""

    setup_task: SetupTask | None = None
    mount_volumes: MountVolumes | None = None
    performance_counters_settings: PerformanceCounters | None = None

    @model_validator(mode="after")
    def _can_start(self) -> NodeSetup:
        """Find what no program can be started with."""
        found = list(length_faults(self.model_dump(by_alias=True, exclude_none=True), ""))
        if found:
            raise faults(found)
        return self


class ClusterProperties(Body):
    """``properties`` of ``PUT .../clusters/C``."""

    read_only = PROVISIONING | {
        "allocationstate",
        "allocationstatetransitiontime",
        "errors",
        "currentnodecount",
        "nodestatecounts",
    }
    vm_size: ClusterVmSize
    vm_priority: Annotated[Literal["dedicated", "lowpriority"], BeforeValidator(lower)] = "dedicated"
    scale_settings: Scale | None = None
    virtual_machine_configuration: VirtualMachineConfiguration | None = None
    node_setup: NodeSetup | None = None
    user_account_settings: User
    subnet: Subnet | None = None


class ClusterCreate(Body):
    """Body of ``PUT .../clusters/C``."""

    read_only = ENTITY
    properties: ClusterProperties


class ClusterUpdateProperties(Body):
    """``properties`` of ``PATCH .../clusters/C``."""

    scale_settings: Scale | None = None


class ClusterUpdate(Body):
    """Body of ``PATCH .../clusters/C``: nothing in it is required, and ``{}`` changes nothing."""

    properties: ClusterUpdateProperties = Field(default_factory=ClusterUpdateProperties)
