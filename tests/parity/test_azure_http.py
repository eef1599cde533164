"""The Azure backend against answers in the service's shape: operations, errors, trouble at each step."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import responses

from batchai_scenario.backends.azure.backend import AzureBackend
from batchai_scenario.backends.azure.clients import Retries
from batchai_scenario.backends.base import BackendOptions, ClusterSpec, JobSpec, JobState, Place, Upload
from batchai_scenario.backends.errors import (
    BackendError,
    InvalidSpec,
    NotFound,
    NotSupported,
    ScenarioError,
    Unreachable,
    UserError,
)
from batchai_scenario.backends.settings import AzureSettings
from batchai_scenario.backends.testing.vocabulary import COMMANDS
from tests.parity.azure_service import ENVIRONMENT, Service
from tests.parity.azure_wire import as_json, error_xml, refused
from tests.parity.trouble import TROUBLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import requests

PLACE = Place("group", "eastus", "workspace", "experiment")
MOUNT = {
    "accountName": "$STORAGE_ACCOUNT",
    "azureFileUrl": "$STORAGE_URL/share",
    "credentials": {"accountKey": "$STORAGE_KEY"},
    "relativeMountPath": "files",
}
CLUSTER = ClusterSpec(
    PLACE,
    "nodes",
    {
        "vmSize": "STANDARD_NC6",
        "scaleSettings": {"manual": {"targetNodeCount": 1}},
        "userAccountSettings": {"adminUserName": "me", "adminUserPassword": "hunter2-password"},
        "nodeSetup": {"mountVolumes": {"azureFileShares": [MOUNT]}},
    },
)
BODY = {
    "nodeCount": 1,
    "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/files",
    "customToolkitSettings": {"commandLine": COMMANDS["succeed"]},
}
ENDLESS = {**BODY, "customToolkitSettings": {"commandLine": COMMANDS["endless"]}}


@contextmanager
def azure(service: Service, tmp_path: Path, tries: int = 3) -> Iterator[AzureBackend]:
    """Open the backend on a service."""
    settings = AzureSettings.read(BackendOptions(tmp_path, {}, ENVIRONMENT))
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        service.mount(mock)
        backend = AzureBackend(settings, retries=Retries(tries, 0.001), connections=1, pause=lambda _: None)
        try:
            yield backend
        finally:
            backend.close()


def whole(backend: AzureBackend, folder: Path) -> dict[str, Any]:
    """Do everything that the backend can; gives what was seen."""
    source = folder / "data.bin"
    source.write_bytes(b"0123456789" * 10)
    seen: dict[str, Any] = {}
    backend.ensure_place(PLACE)
    backend.ensure_share("share")
    report = backend.upload([Upload(source, "share", "in/data.bin")])
    seen["upload"] = (report.sent, report.sent_bytes)
    seen["unchanged"] = backend.upload([Upload(source, "share", "in/data.bin")]).unchanged
    seen["share"] = backend.list_share("share", "in")
    seen["read"] = b"".join(backend.read_share("share", "in/data.bin", 95))
    seen["cluster"] = backend.create_cluster(CLUSTER).nodes["idle"]
    seen["looked"] = backend.get_cluster(PLACE, "nodes").allocation
    job = backend.submit(JobSpec(PLACE, "train", "nodes", BODY))
    while not job.state.final:
        job = backend.get_job(job.id)
    seen["job"] = (job.state, job.exit_code)
    endless = backend.submit(JobSpec(PLACE, "endless", "nodes", ENDLESS))
    backend.terminate(endless.id)
    ended = backend.get_job(endless.id)
    seen["terminated"] = (ended.state, ended.exit_code, [problem.code for problem in ended.errors])
    seen["jobs"] = len(backend.list_jobs(PLACE))
    seen["outputs"] = [(file.path, file.size) for file in backend.list_outputs(job.id, "stdouterr")]
    seen["output"] = b"".join(backend.read_output(job.id, "stdouterr", "stdout.txt", 4))
    seen["end"] = b"".join(backend.read_output(job.id, "stdouterr", "stdout.txt", 12))
    for it in (job, endless):
        backend.delete_job(it.id)
    backend.delete_cluster(PLACE, "nodes")
    backend.delete_place(PLACE)
    return seen


def left_of(service: Service) -> list[object]:
    """List what was made and not deleted; shares stay."""
    world = service.model.world
    return [*world.groups, *world.workspaces, *world.experiments, *world.clusters, *world.jobs]


EXPECTED = {
    "upload": (1, 100),
    "unchanged": 1,
    "read": b"56789",
    "cluster": 1,
    "looked": "steady",
    "job": (JobState.SUCCEEDED, 0),
    "terminated": (JobState.FAILED, None, ["JobTerminated"]),
    "jobs": 2,
    "outputs": [("stderr.txt", 18), ("stdout.txt", 12)],
    "output": b"is well\n",
    "end": b"",
}


def test_every_operation_against_answers_in_the_services_shape(tmp_path: Path) -> None:
    service = Service()
    with azure(service, tmp_path) as backend:
        seen = whole(backend, tmp_path)
    [file] = seen.pop("share")
    assert (file.path, file.size) == ("in/data.bin", 100)
    assert seen == EXPECTED
    assert left_of(service) == []
    sent = " ".join(f"{it.method} {it.url}" for it in service.sent)
    for method in ("HEAD", "GET", "PUT", "POST", "DELETE"):
        assert f"{method} https://" in sent
    assert service.tokens == 1


@pytest.mark.parametrize("name", TROUBLES)
def test_trouble_at_every_step_changes_nothing_that_is_seen(name: str, tmp_path: Path) -> None:
    """Every request meets trouble when it is sent first, and none when it is sent again."""

    def trouble(number: int, request: requests.PreparedRequest) -> Any:
        return TROUBLES[name](request) if number % 2 else None

    service = Service(trouble=trouble)
    with azure(service, tmp_path) as backend:
        seen = whole(backend, tmp_path)
    seen.pop("share")
    assert seen == EXPECTED
    assert left_of(service) == []
    tried = [f"{it.method} {it.url}" for it in service.sent]
    assert tried[0::2] == tried[1::2]


@pytest.mark.parametrize("name", TROUBLES)
def test_trouble_that_does_not_end_is_a_transient_error_without_a_secret(name: str, tmp_path: Path) -> None:
    for step in (1, 3, 8, 12, 20, 30):

        def trouble(number: int, request: requests.PreparedRequest, first: int = step) -> Any:
            return TROUBLES[name](request) if number >= first else None

        with (
            azure(Service(trouble=trouble), tmp_path, tries=1) as backend,
            pytest.raises(BackendError) as failed,
        ):
            whole(backend, tmp_path)
        assert failed.value.transient, f"{name} from step {step}: {failed.value!r}"
        assert "hunter2" not in str(failed.value)
        assert "sig=" not in str(failed.value)


def test_retry_after_is_kept(tmp_path: Path) -> None:
    def trouble(number: int, _: requests.PreparedRequest) -> Any:
        return refused(429, "TooManyRequests", **{"Retry-After": "1"}) if number == 1 else None

    service = Service(trouble=trouble)
    begin = time.monotonic()
    with azure(service, tmp_path) as backend:
        backend.ensure_place(PLACE)
    assert time.monotonic() - begin >= 1.0


def test_a_token_that_expires_in_the_middle_is_fetched_anew(tmp_path: Path) -> None:
    service = Service(token_seconds=1)
    with azure(service, tmp_path) as backend:
        whole(backend, tmp_path)
    assert service.tokens > 3
    assert service.stale == 0  # nothing was sent with an older one


def test_a_token_that_is_refused_names_what_to_check(tmp_path: Path) -> None:
    def trouble(number: int, _: requests.PreparedRequest) -> Any:
        return (
            refused(401, "ExpiredAuthenticationToken", "The access token expiry is in the past.")
            if number > 2
            else None
        )

    with azure(Service(trouble=trouble), tmp_path) as backend, pytest.raises(BackendError) as failed:
        backend.ensure_place(PLACE)
    assert (failed.value.code, failed.value.status) == ("ExpiredAuthenticationToken", 401)
    assert "AZURE_CLIENT_SECRET" in str(failed.value)


@pytest.mark.parametrize("page", [1, 2, 100])
def test_pages_are_read_to_the_last(page: int, tmp_path: Path) -> None:
    service = Service(page=page, file_page=page)
    with azure(service, tmp_path) as backend:
        backend.ensure_place(PLACE)
        backend.ensure_share("share")
        local = tmp_path / "file"
        local.write_bytes(b"x")
        for number in range(5):
            backend.upload([Upload(local, "share", f"in/file-{number}")])
        backend.create_cluster(CLUSTER)
        jobs = [backend.submit(JobSpec(PLACE, f"job-{number}", "nodes", BODY)) for number in range(5)]
        assert len(backend.list_jobs(PLACE)) == 5
        assert [file.path for file in backend.list_share("share", "in")] == [
            f"in/file-{number}" for number in range(5)
        ]
        while not backend.get_job(jobs[0].id).state.final:
            continue
        assert len(backend.list_outputs(jobs[0].id, "stdouterr")) == 2
    lists = [it for it in service.sent if "jobs?" in str(it.url) and it.method == "GET"]
    assert len(lists) == {1: 5, 2: 3, 100: 1}[page]


MANAGEMENT_ERRORS = [
    (400, "PropertyNotSupported", NotSupported),
    (400, "InvalidRequestContent", InvalidSpec),
    (400, "NoRegisteredProviderFound", BackendError),
    (401, "AuthenticationFailed", BackendError),
    (403, "AuthorizationFailed", BackendError),
    (404, "ResourceNotFound", NotFound),
    (404, "ResourceGroupNotFound", NotFound),
    (404, "WorkspaceNotFound", NotFound),
    (404, "ClusterNotFound", NotFound),
    (404, "ExperimentNotFound", NotFound),
    (404, "JobNotFound", NotFound),
    (404, "SubscriptionNotFound", NotFound),
    (409, "Conflict", InvalidSpec),
    (429, "TooManyRequests", BackendError),
    (500, "InternalServerError", BackendError),
    (504, "GatewayTimeout", BackendError),
]
FILE_ERRORS = [
    (400, "InvalidResourceName", UserError),
    (400, "FileInvalidPermission", UserError),
    (400, "InvalidXmlDocument", UserError),
    (403, "AuthenticationFailed", BackendError),
    (404, "ShareNotFound", NotFound),
    (404, "ResourceNotFound", NotFound),
    (404, "ParentNotFound", NotFound),
    (409, "ShareHasSnapshots", UserError),
    (412, "LeaseIdMissing", BackendError),
    (500, "InternalError", BackendError),
    (503, "ServerBusy", BackendError),
]
JOB = (
    f"/subscriptions/{ENVIRONMENT['AZURE_SUBSCRIPTION_ID']}/resourceGroups/group/providers/Microsoft.BatchAI"
    "/workspaces/workspace/experiments/experiment/jobs/train"
)
OPERATIONS: dict[str, Callable[[AzureBackend], object]] = {
    "get_cluster": lambda it: it.get_cluster(PLACE, "nodes"),
    "get_job": lambda it: it.get_job(JOB),
    "list_jobs": lambda it: it.list_jobs(PLACE),
    "terminate": lambda it: it.terminate(JOB),
}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(("status", "code", "kind"), MANAGEMENT_ERRORS)
def test_every_error_of_the_resource_manager(
    operation: str, status: int, code: str, kind: type[ScenarioError], tmp_path: Path
) -> None:
    service = Service(trouble=lambda _, __: refused(status, code, f"Said {code}.", **{"Retry-After": "0"}))
    with azure(service, tmp_path, tries=1) as backend, pytest.raises(kind) as failed:
        OPERATIONS[operation](backend)
    check(failed.value, status, code, kind)


@pytest.mark.parametrize(("status", "code", "kind"), FILE_ERRORS)
def test_every_error_of_the_file_service(
    status: int, code: str, kind: type[ScenarioError], tmp_path: Path
) -> None:
    service = Service(trouble=lambda _, __: error_xml(status, code))
    with azure(service, tmp_path, tries=1) as backend, pytest.raises(kind) as failed:
        backend.list_share("share")
    check(failed.value, status, code, kind)


def check(error: ScenarioError, status: int, code: str, kind: type[ScenarioError]) -> None:
    assert type(error) is kind
    assert code in str(error)
    assert "hunter2" not in str(error)
    assert not isinstance(error, Unreachable)
    if isinstance(error, BackendError):
        assert error.status == status
        assert error.transient == (status in (408, 429) or status >= 500)


def test_what_exists_is_no_error(tmp_path: Path) -> None:
    segments = set()
    with azure(Service(), tmp_path) as backend:
        for _ in range(2):
            backend.ensure_place(PLACE)
            backend.ensure_share("share")  # the second time: 409 ShareAlreadyExists
            assert backend.create_cluster(CLUSTER).target == 1
            segments.add(backend.submit(JobSpec(PLACE, "train", "nodes", BODY)).segment)
        assert len(segments) == 1
        for _ in range(2):
            backend.delete_place(PLACE)


def test_an_empty_file_is_read_as_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with azure(Service(), tmp_path) as backend:
        backend.ensure_share("share")
        backend.upload([Upload(tmp_path / "empty", "share", "empty")])
        assert b"".join(backend.read_share("share", "empty")) == b""


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (
            401,
            {
                "error": "invalid_client",
                "error_description": "AADSTS7000215: Invalid client secret provided.",
            },
        )
    ],
)
def test_a_refused_sign_in_names_the_variables(status: int, body: dict[str, str], tmp_path: Path) -> None:
    service = Service()
    service._login = lambda url, plain=service._login: (  # type: ignore[method-assign, misc]
        plain(url) if url.endswith("openid-configuration") else as_json(status, body)
    )
    with azure(service, tmp_path) as backend, pytest.raises(BackendError) as failed:
        backend.ensure_place(PLACE)
    assert failed.value.status == 401
    assert "AZURE_CLIENT_ID" in str(failed.value)
    assert "hunter2" not in str(failed.value)
