"""Reading outputs: links are kept, renewed when refused, and a broken read goes on where it broke (B5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests

from batchai_scenario.backends.errors import BackendError, NotFound, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable

JOB = "/subscriptions/s/resourceGroups/g/providers/Microsoft.BatchAI/workspaces/w/experiments/e/jobs/train"
CONTENT = b"0123456789"


class Service:
    """A service with one output file; ``answers`` replace the next answers to reading it."""

    def __init__(self) -> None:
        self.links = 0
        self.ranges: list[str | None] = []
        self.answers: list[Any] = []

    def __call__(self, request: requests.PreparedRequest) -> Any:
        if "listOutputFiles" in str(request.url):
            self.links += 1
            link = f"https://files.example/stdout.txt?sig=secret{self.links}"
            size = {"contentLength": len(CONTENT), "lastModified": "2018-06-06T12:00:00Z"}
            return (
                200,
                {},
                {
                    "value": [
                        {"name": "stdout.txt", "fileType": "file", "downloadUrl": link, "properties": size}
                    ]
                },
            )
        asked = request.headers.get("Range")
        self.ranges.append(asked)
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        start = int(asked[6:-1]) if asked else 0
        if start >= len(CONTENT):
            return 416, {}, b""
        return (206 if asked else 200), {}, CONTENT[start:]


@pytest.fixture
def service() -> Service:
    return Service()


def test_following_a_file_lists_once(scripted: Callable[..., Any], service: Service) -> None:
    backend, _ = scripted(service)
    assert b"".join(backend.read_output(JOB, "stdouterr", "stdout.txt")) == CONTENT
    assert b"".join(backend.read_output(JOB, "stdouterr", "stdout.txt", 4)) == CONTENT[4:]
    assert b"".join(backend.read_output(JOB, "stdouterr", "stdout.txt", 10)) == b""
    assert (service.links, service.ranges) == (1, [None, "bytes=4-", "bytes=10-"])


def test_a_refused_link_is_asked_for_again_once(scripted: Callable[..., Any], service: Service) -> None:
    backend, _ = scripted(service)
    service.answers = [(403, {}, b"")]
    assert b"".join(backend.read_output(JOB, "stdouterr", "stdout.txt")) == CONTENT
    assert service.links == 2
    service.answers = [(403, {}, b""), (404, {}, b"")]
    with pytest.raises(NotFound):
        b"".join(backend.read_output(JOB, "stdouterr", "stdout.txt"))


def test_a_server_without_ranges_sends_everything_and_it_is_cut(
    scripted: Callable[..., Any], service: Service
) -> None:
    backend, _ = scripted(service)
    service.answers = [(200, {}, CONTENT)]
    assert b"".join(backend.read_output(JOB, "stdouterr", "stdout.txt", 7)) == b"789"


def test_a_broken_read_is_tried_again_and_then_given_up_without_showing_the_link(
    scripted: Callable[..., Any], service: Service
) -> None:
    backend, _ = scripted(service)
    line = requests.ConnectionError("https://files.example/stdout.txt?sig=secret1 broke")
    service.answers = [line, (503, {}, b"")]
    with pytest.raises(BackendError) as raised:
        b"".join(backend.read_output(JOB, "stdouterr", "stdout.txt"))
    assert raised.value.transient
    service.answers = [line]
    assert b"".join(backend.read_output(JOB, "stdouterr", "stdout.txt")) == CONTENT
    service.answers = [line] * 2
    with pytest.raises(Unreachable) as unreachable:
        b"".join(backend.read_output(JOB, "stdouterr", "stdout.txt"))
    assert "secret" not in f"{raised.value}{unreachable.value}{unreachable.value!r}"
    assert "secret" not in repr(backend.list_outputs(JOB, "stdouterr"))


def test_late_services_say_exit_code_zero_while_a_job_runs(scripted: Callable[..., Any]) -> None:
    def answer(state: str, code: int) -> dict[str, Any]:
        info = {"startTime": "2018-06-06T12:00:00Z", "exitCode": code}
        return {"id": JOB, "properties": {"executionState": state, "executionInfo": info}}

    for state, code, wanted in (("Running", 0, None), ("failed", -1, None), ("failed", 9, 9)):
        backend, _ = scripted(lambda _, state=state, code=code: (200, {}, answer(state, code)))
        assert backend.get_job(JOB).exit_code == wanted
    backend, _ = scripted(lambda _: (200, {}, answer("dreaming", 0)))
    with pytest.raises(BackendError, match="dreaming"):
        backend.get_job(JOB)
