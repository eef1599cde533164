"""Bodies of jobs in api-version 2018-05-01. What the settings of a toolkit may say stands in its own folder.

Known from: SDK 2.0.0's models, the service's published schemas, and recorded traffic for the defaults.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    create_model,
    model_validator,
)
from pydantic.alias_generators import to_snake

from batchai_scenario.schema.body import Body, lower
from batchai_scenario.schema.common import (
    ENTITY,
    MAX_NODES,
    PROVISIONING,
    EnvironmentVariable,
    MountVolumes,
    ResourceId,
    SecretReference,
    SecretVariable,
    different_ids,
)
from batchai_scenario.schema.faults import Fault
from batchai_scenario.schema.kernel import length_faults
from batchai_scenario.schema.layout import STDOUTERR
from batchai_scenario.schema.names import (
    DirectoryId,
    NodePath,
    PathSuffix,
    ShmSize,
    Something,
    WallClock,
    fault,
    faults,
)
from batchai_scenario.schema.registries import registry_faults

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class RegistryCredentials(Body):
    """How to log in to an image registry."""

    username: str
    password: str | None = None
    password_secret_reference: SecretReference | None = None

    @model_validator(mode="after")
    def _one(self) -> RegistryCredentials:
        if self.password is None and self.password_secret_reference is None:
            raise faults([Fault("password", "it is required")])
        return self


class ImageSource(Body):
    """A container image and where it comes from."""

    server_url: str | None = None
    image: Something
    credentials: RegistryCredentials | None = None


class ContainerSettings(Body):
    """The container that a job runs in."""

    image_source_registry: ImageSource
    shm_size: ShmSize | None = None


class JobPreparation(Body):
    """A command line that runs before the job on each of its nodes."""

    command_line: Something


class InputDirectory(Body):
    """``$AZ_BATCHAI_INPUT_<id>``."""

    id: DirectoryId
    path: NodePath


def _output_id(text: str) -> str:
    if text.lower() == STDOUTERR:
        raise fault(f"{STDOUTERR} names the job's standard output")
    return text


class OutputDirectory(Body):
    """``$AZ_BATCHAI_OUTPUT_<id>``."""

    id: Annotated[DirectoryId, AfterValidator(_output_id)]
    path_prefix: NodePath
    path_suffix: PathSuffix | None = None


class Constraints(Body):
    """Limits on a job: ISO 8601 duration, at most seven days."""

    max_wall_clock_time: WallClock = "P7D"


class JobCommon(Body):
    """What ``properties`` of a job's PUT hold in every API version; toolkits' settings come on top."""

    read_only = PROVISIONING | {
        "tooltype",
        "joboutputdirectorypathsegment",
        "executionstate",
        "executionstatetransitiontime",
        "executioninfo",
    }
    cluster: ResourceId
    node_count: int = Field(ge=1, le=MAX_NODES)
    container_settings: ContainerSettings | None = None
    job_preparation: JobPreparation | None = None
    std_out_err_path_prefix: NodePath
    input_directories: Annotated[list[InputDirectory], AfterValidator(different_ids)] | None = None
    output_directories: Annotated[list[OutputDirectory], AfterValidator(different_ids)] | None = None
    environment_variables: list[EnvironmentVariable] | None = None
    constraints: Constraints = Field(default_factory=Constraints)

    @model_validator(mode="after")
    def _can_start(self) -> JobCommon:
        """Find what no engine can pull, and what no program can be started with."""
        given = self.model_dump(by_alias=True, exclude_none=True)
        found = [*registry_faults(given, ""), *length_faults(given, "")]
        if found:
            raise faults(found)
        return self


class JobProperties(JobCommon):
    """``properties`` of ``PUT .../jobs/J``."""

    read_only = JobCommon.read_only | {"experimentname"}
    scheduling_priority: Annotated[Literal["low", "normal", "high"], BeforeValidator(lower)] = "normal"
    mount_volumes: MountVolumes | None = None
    secrets: list[SecretVariable] | None = None


class JobCreate(Body):
    """Body of ``PUT .../jobs/J``."""

    read_only = ENTITY
    properties: JobProperties


class ToolkitSettings(Protocol):
    """What a job's body needs of the toolkits that there are (``training.toolkits.registry``)."""

    @property
    def names(self) -> list[str]:
        """Every settings property, also of toolkits that the service had and we have not."""
        ...

    def model(self, name: str) -> type[Body] | None:
        """Give the model of a settings property; None: we have no such toolkit, any settings pass."""
        ...

    def check(self, name: str, settings: dict[str, Any], node_count: int) -> Iterable[Fault]:
        """Complete settings in place, and find what is wrong with them; paths begin below the settings."""
        ...


@cache
def with_toolkits(
    body: type[Body], toolkits: ToolkitSettings, unknown: frozenset[str] = frozenset()
) -> type[Body]:
    """Add the settings of toolkits to a job's body, all but those that are ``unknown`` to its API version."""
    settings: dict[str, Any] = {
        to_snake(name): (_settings_type(name, toolkits) | None, Field(None, alias=name))
        for name in toolkits.names
        if name not in unknown
    }
    base: Any = body.model_fields["properties"].annotation
    properties = create_model("JobProperties", __base__=base, **settings)
    return create_model(body.__name__, __base__=body, properties=(properties, ...))


def _settings_type(name: str, toolkits: ToolkitSettings) -> Any:  # noqa: ANN401 - a type form
    """Make the type of a toolkit's settings, which are completed and checked when they are read."""
    model = toolkits.model(name)
    if model is None:
        return dict[str, Any]

    def complete(value: Body, info: ValidationInfo) -> Body:
        given = value.model_dump(by_alias=True, exclude_none=True)
        found = tuple(toolkits.check(name, given, info.data.get("node_count", 1)))
        if found:
            raise faults(found)
        return model.model_construct(**{to_snake(key): item for key, item in given.items()})

    return Annotated[model, AfterValidator(complete)]


def toolkit_faults(properties: Mapping[str, Any], toolkits: ToolkitSettings) -> Iterable[Fault]:
    """Demand exactly one toolkit's settings; names in any case, as in a body."""
    written = {key.lower() for key, value in properties.items() if value is not None}
    given = [name for name in toolkits.names if name.lower() in written]
    if len(given) != 1:
        wrong = f"{' and '.join(given)} are given" if given else "none is given"
        yield Fault("properties", f"a job has exactly one toolkit's settings, and {wrong}")
