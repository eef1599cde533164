"""What differs between our answers and the published descriptions and examples, and why.

``python -m tests.spec.differences`` prints the page ``docs/differences.md``; a test holds the two together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_FLAT = "2018-03-01|2017-09-01-preview"


@dataclass(frozen=True, slots=True)
class Known:
    """Differences with one reason; ``title`` is for people, the rest are regular expressions."""

    title: str
    reason: str
    path: str
    what: str = ".*"
    operation: str = ".*"
    version: str = ".*"

    def matches(self, version: str, operation: str, path: str, what: str) -> bool:
        """Tell whether a difference is one of these."""
        pairs = (
            (self.version, version),
            (self.operation, operation),
            (self.path, path),
            (self.what, what),
        )
        return all(re.fullmatch(pattern, value) for pattern, value in pairs)


DIFFERENCES = (
    Known(
        "`type` of resources in 2018-05-01",
        "The service wrote the whole type with its parents, in lower case (recorded traffic); the examples "
        "spell it in several ways.",
        r"(value\[\]\.)?type",
        version="2018-05-01",
    ),
    Known(
        "`experimentName` of jobs in 2018-05-01",
        "The service sent it (recorded traffic), though neither schema nor examples have it.",
        r"(value\[\]\.)?properties\.experimentName",
        "is not in the (schema|example)",
        version="2018-05-01",
    ),
    Known(
        "`adminUserSSHPublicKey` of clusters before 2018-05-01",
        "That is how the service spelt it in its answers until 2018-05-01 (recorded traffic).",
        r"(value\[\]\.)?properties\.userAccountSettings\.adminUserSSHPublicKey",
        "is not in the (schema|example)",
        version=_FLAT,
    ),
    Known(
        "`adminUserSshPublicKey` of clusters in 2018-05-01",
        "The service gave the key back (seen in its own recipes); only the password is a secret.",
        r"(value\[\]\.)?properties\.userAccountSettings\.adminUserSshPublicKey",
        "is not in the example",
        version="2018-05-01",
    ),
    Known(
        "`constraints.maxRetryCount` of jobs in 2017-09-01-preview",
        "The service sent it, always 0 (recorded traffic).",
        r"(value\[\]\.)?properties\.constraints\.maxRetryCount",
        "is not in the (schema|example)",
        version="2017-09-01-preview",
    ),
    Known(
        "`jobOutputDirectoryPathSegment` in lists of jobs in 2018-03-01",
        "The schema has it and the service sent it (recorded traffic); the examples of lists are older.",
        r"value\[\]\.properties\.jobOutputDirectoryPathSegment",
        "is not in the example",
        version="2018-03-01",
    ),
    Known(
        "`mountPoint` of file servers from 2018-03-01 on",
        "The service said /data (recorded traffic), and /mnt/data only in the preview.",
        r"(value\[\]\.)?properties\.mountSettings\.mountPoint",
        version="2018-.*",
    ),
    Known(
        "`fileSystemType` and `raidLevel` of file servers in 2017-09-01-preview",
        "The service sent both (recorded traffic of October 2017).",
        r"(value\[\]\.)?properties\.dataDisks\.(fileSystemType|raidLevel)",
        "is not in the (schema|example)",
        version="2017-09-01-preview",
    ),
    Known(
        "`totalJobNodeHours` and the `category` of errors of jobs in 2018-05-01",
        "The service sent both in its last years (a public report).",
        r"(value\[\]\.)?properties\.executionInfo\.(totalJobNodeHours|errors\[\]\.category)",
        "is not in the (schema|example)",
        version="2018-05-01",
    ),
    Known(
        "Mounts of file servers, and `subnet`, in lists of clusters and after a PATCH",
        "A mount is given back as it was asked for, and the cluster is in its server's subnet (recorded "
        "traffic); in these examples the cluster has none.",
        r"(value\[\]\.)?properties\.(nodeSetup\.mountVolumes\.fileServers|subnet)",
        "is not in the example",
        operation="Clusters_(List.*|Update)",
    ),
    Known(
        "`allocationState` after a cluster's PATCH",
        "The example's cluster is at rest; the one that is asked here was just made, and its nodes are on "
        "their way.",
        r"properties\.allocationState",
        operation="Clusters_Update",
    ),
    Known(
        "Figures of usages",
        "They count what there is here; limits are those that were recorded in June 2018.",
        r"value\[\]\.(currentValue|limit)",
        operation="Usages_List",
    ),
    Known(
        "Names of usages in 2018-03-01",
        "The example shows jobs and clusters; recorded traffic, the list of clusters and vCPUs by family.",
        r"value\[\]",
        "'Number of Active Jobs' is in the example only|'Number of Clusters' is in the example only",
        operation="Usage_List",
        version="2018-03-01",
    ),
    Known(
        "Texts of operations",
        "Names and order are the service's; the descriptions are in our own words.",
        r"value\[\]\.display\.\w+",
        operation="Operations_List",
    ),
)

_VAULT = (
    "A secret in a key vault of Azure's own. The emulator has no key vault, and a stand-in would give "
    "programs another secret than theirs."
)
REFUSED = {
    "accountKeySecretReference": _VAULT,
    "valueSecretReference": _VAULT,
    "passwordSecretReference": _VAULT,
    "instrumentationKeySecretReference": _VAULT,
}
"""Properties that the service knew and the emulator refuses by name, by the last of their names."""

KEPT_ONLY = (
    (
        "`subnet`",
        ("subnet.id",),
        "A virtual network of Azure's. Nodes have a network of their own on this machine.",
    ),
    (
        "`publisher`, `version` and `virtualMachineImageId` of `imageReference`",
        ("imageReference.publisher", "imageReference.version", "virtualMachineImageId"),
        "No virtual machine is started: `offer` and `sku` choose what stands for its image.",
    ),
    (
        "`performanceCountersSettings`",
        ("appInsightsReference.component.id", "instrumentationKey"),
        "Counters went to Application Insights, a service of Azure's own; none are sent.",
    ),
    (
        "`runElevated` of `setupTask`",
        ("runElevated",),
        "A setup task is root in its container whatever it says, and what you are with the process engine.",
    ),
    (
        "`fileMode` and `directoryMode` of `azureFileShares`",
        ("fileMode", "directoryMode"),
        "Shares are folders of this machine, open to every user of a job, as the service's default was.",
    ),
    (
        "`mountOptions`",
        ("mountOptions",),
        "Options of mount commands that are not run: folders are mounted to be read and written.",
    ),
    (
        "`type` of `outputDirectories`",
        ("outputDirectories[*].type",),
        "A label, on the service too.",
    ),
    (
        "All of a file server but `subnet`",
        (
            "FileServer.properties.vmSize",
            "FileServer.location",
            "FileServer.tags",
            "publicIPsToAllow",
            "sshConfiguration.userAccountSettings.adminUserName",
            "sshConfiguration.userAccountSettings.adminUserPassword",
            "sshConfiguration.userAccountSettings.adminUserSshPublicKey",
            "diskSizeInGB",
            "diskCount",
            "storageAccountType",
            "cachingType",
        ),
        "No machine is started: its disk is a folder, as large as this machine's, and nobody logs in to it.",
    ),
)
"""Properties that are checked, kept and given back, and change nothing here: title, ends of paths, reason."""

_HEAD = """# Differences from the published descriptions

Made by `python -m tests.spec.differences > docs/differences.md`: do not edit. This is all in which answers
for Batch AI's three API versions differ from the published OpenAPI descriptions and their examples, found by
`tests/spec/check.py`. Where recorded traffic of the service and its description disagree, the emulator does
what was recorded. Not compared are ids, times, addresses, and names that the caller chose.

To check again: `SCENARIO_SPEC=FOLDER pytest tests/spec`, where FOLDER holds
`batchai/<api-version>/BatchAI.json` and `batchai/<api-version>/examples/`.

| what | why |
|---|---|
"""

_REFUSED_HEAD = """
## Properties that are refused

All other properties of clusters, file servers and jobs (toolkits aside) are taken and given back in all three
versions, and do what they say or stand in the list below: `tests/spec/test_whole.py` goes through each. These
are refused by name with 400 `PropertyNotSupported`, wherever they stand, and nothing is made:

| property | why |
|---|---|
"""

_KEPT_HEAD = """
## Properties that are kept and change nothing

They are checked and given back:

| property | why |
|---|---|
"""


def page() -> str:
    """Write the page."""
    differences = "".join(f"| {known.title} | {known.reason} |\n" for known in DIFFERENCES)
    refused = "".join(f"| `{name}` | {reason} |\n" for name, reason in REFUSED.items())
    kept = "".join(f"| {title} | {reason} |\n" for title, _, reason in KEPT_ONLY)
    return _HEAD + differences + _REFUSED_HEAD + refused + _KEPT_HEAD + kept


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201 - a page for a file
