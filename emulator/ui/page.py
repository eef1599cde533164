"""The page's front: what stands at which address below ``/ui``. ``docs/ui.md`` describes it."""

from __future__ import annotations

import json
import math
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from anyio import to_thread
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from batchai_scenario.emulator.errors import ServiceError
from batchai_scenario.emulator.ui.assets import Assets
from batchai_scenario.emulator.ui.content import file_answer, text_of
from batchai_scenario.emulator.ui.guard import Guard
from batchai_scenario.emulator.ui.stream import events

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request

    from batchai_scenario.emulator.ui.actions import Actions
    from batchai_scenario.emulator.ui.board import Board
    from batchai_scenario.emulator.ui.folders import FolderBrowser
    from batchai_scenario.emulator.ui.jobs import Details
    from batchai_scenario.emulator.ui.ports import RunBook

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_LONGEST_BODY = 64 * 1024


class Page:
    """Answers everything below ``/ui``.

    Args:
        token: What the address that is printed has in it.
        facts: Gives what is to be said of the emulator itself: version, home, start.
        engine: Looks at the engine: its name, and what keeps it from working. May block.
        folders: The shares.
        board: Clusters and jobs; None if only storage is served.
        details: One job or cluster; likewise.
        actions: What a person may change; likewise.
        runs: The runs of the home; None if nobody told the emulator of them.
    """

    def __init__(
        self,
        *,
        token: str,
        facts: Callable[[], dict[str, Any]],
        engine: Callable[[], dict[str, Any]],
        folders: FolderBrowser,
        board: Board | None,
        details: Details | None,
        actions: Actions | None,
        runs: RunBook | None,
    ) -> None:
        self._guard = Guard(token)
        self._assets = Assets()
        self._facts = facts
        self._engine = engine
        self._folders = folders
        self._board = board
        self._details = details
        self._actions = actions
        self._runs = runs
        self._answers: Mapping[tuple[str, str], Callable[[Request], Awaitable[Response]]] = {
            ("GET", "overview"): self._overview,
            ("GET", "engine"): self._ask_engine,
            ("GET", "usage"): self._usage,
            ("GET", "events"): self._events,
            ("GET", "cluster"): self._cluster,
            ("POST", "cluster/resize"): self._act("resize"),
            ("POST", "cluster/delete"): self._act("delete_cluster"),
            ("GET", "job"): self._job,
            ("GET", "job/files"): self._job_files,
            ("GET", "job/metrics"): self._job_metrics,
            ("GET", "job/file"): self._job_file,
            ("POST", "job/terminate"): self._act("terminate"),
            ("POST", "job/delete"): self._act("delete_job"),
            ("GET", "shares"): self._shares,
            ("GET", "files"): self._files,
            ("GET", "file"): self._file,
            ("PUT", "file"): self._put_file,
            ("GET", "runs"): self._list_runs,
            ("GET", "run"): self._run,
            ("GET", "series"): self._series,
            ("GET", "compare"): self._compare,
        }

    async def answer(self, request: Request, path: str) -> Response:
        """Answer a request; ``path`` is what follows ``/ui``, without a slash at its beginning, undecoded.

        Raises:
            ServiceError: what is wrong with it.
        """
        given = request.query_params.get("token")
        if given is not None and not path and self._guard.is_token(given):
            return _dressed(RedirectResponse("/ui/", 303, {"Set-Cookie": self._guard.cookie(request)}))
        try:
            self._guard.check(request)
        except ServiceError as error:
            if path.startswith("api/"):
                raise
            return _dressed(HTMLResponse(self._assets.refusal(error.message), error.status))
        if path == "" and not request.url.path.endswith("/"):
            return _dressed(RedirectResponse("/ui/", 303))
        if path.startswith("api/"):
            return await self._api(request, path.removeprefix("api/"))
        if request.method not in ("GET", "HEAD"):
            raise ServiceError(
                405, "MethodNotAllowed", "A page is only read.", headers={"Allow": "GET, HEAD"}
            )
        return _dressed(self._assets.answer(path, self._facts()))

    async def _api(self, request: Request, path: str) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        answer = self._answers.get((method, path))
        if answer is None:
            allowed = sorted(verb for verb, known in self._answers if known == path)
            if allowed:
                text = f"'{path}' is asked for with {' or '.join(allowed)}."
                raise ServiceError(405, "MethodNotAllowed", text, headers={"Allow": ", ".join(allowed)})
            raise ServiceError(404, "NotFound", f"The page's interface has nothing at '{path[:100]}'.")
        return _dressed(await answer(request))

    async def _overview(self, _: Request) -> Response:
        board = await to_thread.run_sync(self._board.since, 0) if self._board else None
        return _json({"emulator": self._facts(), "board": board, "hasRuns": self._runs is not None})

    async def _ask_engine(self, _: Request) -> Response:
        return _json(await to_thread.run_sync(self._engine))

    async def _usage(self, _: Request) -> Response:
        return _json({"accounts": await to_thread.run_sync(self._folders.usage)})

    async def _events(self, request: Request) -> Response:
        job = request.query_params.get("job", "")
        stream = events(str(self._facts()["instance"]), self._board, self._details, job)
        return StreamingResponse(stream, media_type="text/event-stream")

    async def _cluster(self, request: Request) -> Response:
        return _json(await to_thread.run_sync(self._clusters().cluster, text_of(request, "id")))

    async def _job(self, request: Request) -> Response:
        return _json(await to_thread.run_sync(self._clusters().job, text_of(request, "id")))

    async def _job_files(self, request: Request) -> Response:
        id_, directory = text_of(request, "id"), text_of(request, "directory")
        path = request.query_params.get("path", "")
        found = await to_thread.run_sync(self._clusters().files, id_, directory, path)
        return _json({"files": found})

    async def _job_metrics(self, request: Request) -> Response:
        try:
            found, more = await to_thread.run_sync(self._clusters().metrics, text_of(request, "id"))
        except ServiceError as error:
            if error.code != "JobNotFound":
                raise
            found, more = [], False  # it was deleted while a page watched it
        return _json({"series": found, "more": more})

    async def _job_file(self, request: Request) -> Response:
        id_, directory, path = (text_of(request, name) for name in ("id", "directory", "path"))
        fd = await to_thread.run_sync(self._clusters().open_file, id_, directory, path)
        return file_answer(request, fd, path)

    def _act(self, name: str) -> Callable[[Request], Awaitable[Response]]:
        async def act(request: Request) -> Response:
            actions = self._actions
            if actions is None:
                raise _only_storage()
            body = await _body(request)
            await to_thread.run_sync(getattr(actions, name), body)
            return _json({"accepted": True}, HTTPStatus.ACCEPTED)

        return act

    async def _shares(self, _: Request) -> Response:
        return _json({"accounts": await to_thread.run_sync(self._folders.accounts)})

    async def _files(self, request: Request) -> Response:
        account, share = text_of(request, "account"), text_of(request, "share")
        path = request.query_params.get("path", "")
        return _json({"files": await to_thread.run_sync(self._folders.list, account, share, path)})

    async def _file(self, request: Request) -> Response:
        account, share, path = (text_of(request, name) for name in ("account", "share", "path"))
        return file_answer(
            request, await to_thread.run_sync(self._folders.open_file, account, share, path), path
        )

    async def _put_file(self, request: Request) -> Response:
        account, share, path = (text_of(request, name) for name in ("account", "share", "path"))
        size = await self._folders.receive(request, account, share, path)
        return _json({"size": size}, HTTPStatus.CREATED)

    async def _list_runs(self, _: Request) -> Response:
        return _json({"runs": await to_thread.run_sync(self._book().runs)})

    async def _run(self, request: Request) -> Response:
        return _json(_there(await to_thread.run_sync(self._book().run, text_of(request, "run"))))

    async def _series(self, request: Request) -> Response:
        return _json({"series": await to_thread.run_sync(self._book().series, text_of(request, "run"))})

    async def _compare(self, request: Request) -> Response:
        left, right = text_of(request, "left"), text_of(request, "right")
        return _json(_there(await to_thread.run_sync(self._book().compare, left, right)))

    def _clusters(self) -> Details:
        if self._details is None:
            raise _only_storage()
        return self._details

    def _book(self) -> RunBook:
        if self._runs is None:
            text = "This emulator was not told of runs: 'scenario emulator serve' starts one that is."
            raise ServiceError(404, "NoRuns", text)
        return self._runs


def _only_storage() -> ServiceError:
    return ServiceError(
        404, "OnlyStorage", "This emulator serves storage alone: there are no clusters and no jobs."
    )


def _there(found: dict[str, Any] | None) -> dict[str, Any]:
    if found is None:
        raise ServiceError(404, "RunNotFound", "There is no such run (any more).", "run")
    return found


async def _body(request: Request) -> dict[str, Any]:
    """Read a small JSON object; ServiceError 400."""
    data = b""
    async for block in request.stream():
        data += block
        if len(data) > _LONGEST_BODY:
            raise ServiceError(413, "RequestEntityTooLarge", "The request is too large.")
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ServiceError(400, "InvalidRequestContent", "A JSON object is expected.")
    return found


def _json(value: Any, status: int = 200) -> Response:  # noqa: ANN401 - any JSON value
    text = json.dumps(_finite(value), separators=(",", ":"))  # ASCII: jobs name things by halves of letters
    return Response(text, status, media_type="application/json")


def _finite(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Write what JSON has no number for as null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


def _dressed(response: Response) -> Response:
    """Put the headers of the page on an answer that has not its own."""
    for name, text in _HEADERS.items():
        response.headers.setdefault(name, text)
    return response
