"""Starting, finding, stopping: one emulator a home, and nothing left of a killed one in the way."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

import pytest

from batchai_scenario import __version__
from batchai_scenario.emulator.errors import AddressInUse, HomeInUse
from batchai_scenario.emulator.server import EmulatorServer, EmulatorSettings, read_address
from batchai_scenario.emulator.serving import write_address
from batchai_scenario.emulator.state.home import Home

if TYPE_CHECKING:
    from contextlib import ExitStack

    from batchai_scenario.emulator.serving import Address


def settings(home: Path, port: int = 0) -> EmulatorSettings:
    return EmulatorSettings(home=home, engine="process", port=port)


def test_the_address_file_leads_to_the_emulator_and_goes_with_it(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    assert read_address(home) is None
    server = EmulatorServer(settings(home.root))
    address = server.start()
    try:
        assert read_address(home) == address
        assert address.host == "127.0.0.1"
        assert home.address_file.stat().st_mode & 0o777 == 0o600
        content = json.loads(home.address_file.read_text())
        assert content["url"] == f"http://127.0.0.1:{content['port']}"
        assert content["pid"] == os.getpid()
    finally:
        server.close()
    assert not home.address_file.exists()
    assert read_address(home) is None
    server.close()  # once more does nothing


def test_the_next_emulator_takes_the_ports_of_the_last_and_knows_no_key_of_its(tmp_path: Path) -> None:
    first = EmulatorServer(settings(tmp_path))
    before = first.start()
    first.close()
    kept = Home(tmp_path).ports_file.read_text()
    assert before.stop_key not in kept
    assert before.page_token not in kept
    with EmulatorServer(settings(tmp_path)):
        after = read_address(Home(tmp_path))
    assert after is not None
    assert (after.url, after.blob_url, after.proxy_port) == (before.url, before.blob_url, before.proxy_port)


def test_a_home_is_served_by_one(tmp_path: Path) -> None:
    with EmulatorServer(settings(tmp_path)), pytest.raises(HomeInUse) as caught:
        EmulatorServer(settings(tmp_path)).start()
    assert str(os.getpid()) in str(caught.value)
    with EmulatorServer(settings(tmp_path)):
        pass  # free again


def test_a_taken_port_is_refused_with_its_holder_and_leaves_nothing(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(AddressInUse) as caught:
            EmulatorServer(settings(tmp_path, port)).start()
        assert caught.value.port == port
        assert f"process {os.getpid()}" in caught.value.holder
    assert not Home(tmp_path).address_file.exists()
    with EmulatorServer(settings(tmp_path, port)):
        pass  # neither the port nor the home was kept


def test_the_successor_of_a_killed_emulator_takes_its_port(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib\n"
        "from batchai_scenario.emulator.server import EmulatorServer, EmulatorSettings\n"
        "server = EmulatorServer(EmulatorSettings(home=pathlib.Path(sys.argv[1]), engine='process'))\n"
        "print(server.start().port, flush=True)\n"
        "server.serve_forever()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
    home = Home(tmp_path)
    assert home.address_file.exists()
    assert read_address(home) is None  # nobody answers there
    server = EmulatorServer(settings(tmp_path))
    try:
        assert server.start().port == port
    finally:
        server.close()


def test_an_address_that_now_is_somebody_elses_is_no_answer(tmp_path: Path) -> None:
    with EmulatorServer(settings(tmp_path / "one")):
        one = read_address(Home(tmp_path / "one"))
        assert one is not None
        other = Home(tmp_path / "two")
        other.make()
        from dataclasses import replace

        write_address(other, replace(one, instance="of before"))
        assert read_address(other) is None


def ask_to_stop(address: Address) -> None:
    request = Request(
        f"{address.url}/.emulator/stop",
        method="POST",
        headers={"Authorization": f"Bearer {address.stop_key}"},
    )
    with urlopen(request, timeout=10) as answer:
        assert answer.status == 202


def test_it_stops_over_http_with_the_key(tmp_path: Path) -> None:
    server = EmulatorServer(settings(tmp_path))
    address = server.start()
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    ask_to_stop(address)
    serving.join(timeout=10)
    assert not serving.is_alive()
    assert read_address(Home(tmp_path)) is None


class StoppedAtOnce(EmulatorServer):
    """Is closed as soon as it answers, as a request to stop does it, and before its start has returned."""

    def _start(self, held: ExitStack) -> Address:
        address = super()._start(held)
        closing = threading.Thread(target=self.close)
        closing.start()
        closing.join()
        return address


def test_a_request_to_stop_in_the_middle_of_the_start_is_not_lost(tmp_path: Path) -> None:
    server = StoppedAtOnce(settings(tmp_path))
    server.start()
    server.serve_forever()
    assert read_address(Home(tmp_path)) is None
    with EmulatorServer(settings(tmp_path)):
        pass


class Counted(EmulatorServer):
    """Counts how often it was started."""

    starts = 0

    def start(self) -> Address:
        self.starts += 1
        return super().start()


def test_one_that_was_stopped_before_anybody_waited_for_its_end_does_not_start_again(tmp_path: Path) -> None:
    server = Counted(settings(tmp_path))
    server.start()
    server.close()
    server.serve_forever()
    assert server.starts == 1
    assert read_address(Home(tmp_path)) is None


def test_state_outlives_the_emulator(tmp_path: Path) -> None:
    key = []
    for _ in range(2):
        with EmulatorServer(settings(tmp_path)) as server:
            assert server is not None
            key.append(Home(tmp_path).seal_key.read_bytes())
    assert key[0] == key[1]


def test_the_version_is_that_of_the_package() -> None:
    project = Path(__file__).parents[2] / "pyproject.toml"
    assert f'version = "{__version__}"' in project.read_text()
