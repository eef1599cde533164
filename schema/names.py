"""Names and texts with a form of their own, as types of a body's properties: what each may be, and why not.

A type's check raises ``fault``: the sentence that the property's path is put before. Forms of which the
service's own are not known are our decisions, each made so that a job cannot fail later for what can be
seen now.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from batchai_scenario.schema.durations import wall_clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from batchai_scenario.schema.faults import Fault

NAME = re.compile(r"[-\w]{1,64}", re.ASCII)
"""Names of everything in api-version 2018-05-01 (SDK 2.0.0)."""

PATH_VARIABLES = (
    "AZ_BATCHAI_MOUNT_ROOT",
    "AZ_BATCHAI_JOB_MOUNT_ROOT",
    "AZ_BATCHAI_JOB_TEMP",
    "AZ_BATCHAI_JOB_TEMP_DIR",
    "AZ_BATCHAI_SHARED_JOB_TEMP",
)
"""Variables that paths in a job's body may begin with."""

_SIZE = re.compile(r"(standard_)([a-z]{1,9})(\d{1,4})([a-z]{0,9})((?:_v\d{1,2})?)", re.IGNORECASE | re.ASCII)
_NO_SIZE = re.compile(r"STANDARD_(A0|GS\d+|DS\d+.*)")
_ID = re.compile(r"[A-Za-z0-9_]{1,64}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_REFERENCE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))")
_SHARE_URL = re.compile(r"https?://[^/]+/.|\$STORAGE_URL/.")
_SHM_SIZE = re.compile(r"\d+(\.\d+)? *([kmgt](i?b)?|b)?", re.IGNORECASE)


def fault(why: str) -> PydanticCustomError:
    """Make what a validator raises: the value that it looks at is wrong."""
    return PydanticCustomError("fault", "{why}", {"why": why})


def faults(found: Iterable[Fault]) -> PydanticCustomError:
    """Make what a validator raises for several faults, whose paths begin below the value it looks at."""
    return PydanticCustomError("faults", "{found}", {"found": tuple(found)})


def normal_size(text: str) -> str:
    """Write a VM size as the service gives it back: ``Standard_NC24R`` is ``STANDARD_NC24r``."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise fault("it is no VM size such as STANDARD_NC6")
    stem, family, number, suffix, generation = match.groups()
    return f"{stem.upper()}{family.upper()}{number}{suffix.lower()}{generation.lower()}"


def _cluster_size(text: str) -> str:
    size = normal_size(text)
    if _NO_SIZE.match(size):
        raise fault("Batch AI has no clusters of STANDARD_A0 or of premium-storage sizes (DS, GS)")
    return size


def climbs(path: str) -> bool:
    """Tell whether a path leads out of the folder that it is relative to."""
    return ".." in path.replace("\\", "/").split("/") or "\\" in path


def _mount_path(text: str) -> str:
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if not parts or text.startswith("/") or climbs(text) or _control(text):
        raise fault("it must be a path below the mount root, without '..'")
    return text


def _path_suffix(text: str) -> str:
    if text.startswith("/") or climbs(text) or _control(text):
        raise fault("it must be a relative path without '..'")
    return text


def _node_path(text: str) -> str:
    """Check a path on the node: absolute once its variables are known, and nothing climbs."""
    begin = _REFERENCE.match(text)
    if not text.startswith("/") and not begin:
        raise fault("it must begin with a variable such as $AZ_BATCHAI_MOUNT_ROOT, or with '/'")
    for found in _REFERENCE.finditer(text):
        if (found[1] or found[2]) not in PATH_VARIABLES:
            raise fault(f"the variable {found[0]} is not known on the node")
    if climbs(text) or _control(text):
        raise fault("it must not climb out with '..'")
    return text


def _control(text: str) -> bool:
    return any(ord(letter) < ord(" ") for letter in text)


def _directory_id(text: str) -> str:
    if _ID.fullmatch(text) is None:
        raise fault("it is part of a variable's name: letters, digits and '_'")
    return text


def _variable(text: str) -> str:
    if _VARIABLE.fullmatch(text) is None:
        raise fault("it is no name of an environment variable")
    if text.startswith("AZ_BATCHAI_"):
        raise fault("variables that begin with AZ_BATCHAI_ are set by the service")
    return text


def _share_url(text: str) -> str:
    try:
        urlsplit(text)
        fits = _SHARE_URL.match(text) is not None
    except ValueError:
        fits = False
    if not fits:
        raise fault("it is no URL of a file share")
    return text


def _shm_size(text: str) -> str:
    if _SHM_SIZE.fullmatch(text.strip()) is None:
        raise fault("it is no size such as 16gb")
    return text


def _wall_clock(text: str) -> str:
    try:
        wall_clock(text)
    except ValueError as error:
        raise fault(str(error)) from error
    return text


def _resource(kind: str) -> re.Pattern[str]:
    """Give what ids of resources of one type look like."""
    return re.compile(rf"/subscriptions/[^/]+/resourcegroups/[^/]+/providers/{kind}/?", re.IGNORECASE)


_SUBNET_ID = _resource(r"microsoft\.(classic)?network/virtualnetworks/[^/]+/subnets/[^/]+")
_IMAGE_ID = _resource(r"microsoft\.compute/images/[^/]+")
_COMPONENT_ID = _resource(r"microsoft\.insights/components/[^/]+")


def _matches(pattern: re.Pattern[str], what: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if pattern.fullmatch(text) is None:
            raise fault(f"it is no id of {what}")
        return text

    return check


def _one_line(text: str) -> str:
    if len(text.strip().splitlines()) != 1:
        raise fault("it must be one line, such as 'ssh-rsa AAAA... name'")
    return text


def _setup_path(text: str) -> str:
    """Check the prefix of a setup task's files: there is no job yet, and so no job's folders."""
    for found in _REFERENCE.finditer(text):
        if (found[1] or found[2]) != "AZ_BATCHAI_MOUNT_ROOT":
            raise fault(f"a setup task knows $AZ_BATCHAI_MOUNT_ROOT, and not {found[0]}")
    return _node_path(text)


def _something(text: str) -> str:
    if not text.strip():
        raise fault("it is empty")
    return text


VmSize = Annotated[str, AfterValidator(normal_size)]
ClusterVmSize = Annotated[str, AfterValidator(_cluster_size)]
MountPath = Annotated[str, AfterValidator(_mount_path)]
PathSuffix = Annotated[str, AfterValidator(_path_suffix)]
NodePath = Annotated[str, AfterValidator(_node_path)]
DirectoryId = Annotated[str, AfterValidator(_directory_id)]
VariableName = Annotated[str, AfterValidator(_variable)]
ShareUrl = Annotated[str, AfterValidator(_share_url)]
ShmSize = Annotated[str, AfterValidator(_shm_size)]
WallClock = Annotated[str, AfterValidator(_wall_clock)]
SubnetId = Annotated[str, AfterValidator(_matches(_SUBNET_ID, "a subnet in a virtual network"))]
ImageId = Annotated[str, AfterValidator(_matches(_IMAGE_ID, "a virtual machine image"))]
ComponentId = Annotated[str, AfterValidator(_matches(_COMPONENT_ID, "an Application Insights component"))]
PublicKey = Annotated[str, AfterValidator(_one_line)]
SetupPath = Annotated[str, AfterValidator(_setup_path)]
Something = Annotated[str, AfterValidator(_something)]
