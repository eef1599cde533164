"""GPUs without one: what engines say of theirs, which are a node's own, and what jobs are told."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.emulator.engines.docker.api import read_facts
from batchai_scenario.emulator.engines.docker.cuda import cuda_of, too_old
from batchai_scenario.emulator.engines.docker.gpuproofs import prove_gpus
from batchai_scenario.emulator.engines.docker.gpuways import ways_of, why_none
from batchai_scenario.emulator.engines.gpu import Gpu, Proof, decide_gpus, machine_gpus, read_gpus
from batchai_scenario.emulator.engines.gpunodes import GPUS_TAKEN, GpuWish, read_sizes, take
from batchai_scenario.emulator.engines.nodes import make_disk, read_note
from batchai_scenario.emulator.errors import EngineError, EngineUnavailable
from batchai_scenario.emulator.launch.environment import gpu_variables

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from batchai_scenario.emulator.state.home import Home

H100 = Gpu("0", "NVIDIA H100", "GPU-1", "9.0", "550.54")
QUERIED = "0, GPU-1, NVIDIA H100, 9.0, 550.54\n1, GPU-2, NVIDIA H100, 9.0, 550.54\n"
LISTED = "GPU 0: Tesla K80 (UUID: GPU-1)\nGPU 1: Tesla K80 (UUID: GPU-2)\n"
SPECIFICATION = """
cdiVersion: 0.5.0
kind: nvidia.com/gpu
devices: [{name: "1"}, {name: "0"}, {name: GPU-1}, {name: GPU-2}, {name: all}]
"""


def test_gpus_are_read_as_new_drivers_and_old_ones_list_them() -> None:
    assert read_gpus(QUERIED)[0] == H100
    assert read_gpus(LISTED) == (Gpu("0", "Tesla K80", "GPU-1"), Gpu("1", "Tesla K80", "GPU-2"))
    assert read_gpus("No devices were found\n") == ()


def test_each_mode_does_what_it_says() -> None:
    lines: list[str] = []
    some = Proof((H100,), "by CDI")
    none = Proof(why="no runtime", remedy="Install it.")
    assert decide_gpus("none", lambda: some, lines.append).gpus == ()
    for mode in ("auto", "required", "shared"):
        assert decide_gpus(mode, lambda: some, lines.append) is some
    assert decide_gpus("auto", lambda: none, lines.append).gpus == ()
    with pytest.raises(EngineUnavailable, match=r"its node has none: no runtime\. Install it\."):
        decide_gpus("required", lambda: none, lines.append)
    has = "gpus: the job has 1 (NVIDIA H100, by CDI)"
    assert lines == [has] * 3 + ["gpus: none was found (no runtime); the job runs on the CPU"]


def test_the_nvidia_runtime_and_cdi_are_asked_in_turn(tmp_path: Path) -> None:
    (tmp_path / "nvidia.yaml").write_text(SPECIFICATION)
    (tmp_path / "other.json").write_text(json.dumps({"kind": "vendor.com/net", "devices": [{"name": "x"}]}))
    (tmp_path / "broken.yaml").write_text("{")
    runtime: dict[str, Any] = {"Runtimes": {"nvidia": {}, "runc": {}}}
    before: dict[str, Any] = {"CDISpecDirs": [str(tmp_path), "/nowhere"]}
    since: dict[str, Any] = {
        "DiscoveredDevices": [{"Source": "cdi", "ID": f"nvidia.com/gpu={name}"} for name in ("all", "GPU-7")]
    }
    assert [(way.kind, way.devices) for way in ways_of({**runtime, **before}, ["0", "1"])] == [
        ("runtime", ("0", "1")),
        ("cdi", ("0", "1")),
    ]
    assert [(way.kind, way.devices) for way in ways_of(since)] == [("cdi", ("GPU-7",))]
    only_all = {"DiscoveredDevices": [{"Source": "cdi", "ID": "nvidia.com/gpu=all"}]}
    assert [way.devices for way in ways_of({**runtime, **only_all})] == [("all",), ("all",)]
    assert ways_of({"Runtimes": {"runc": {}}, "DiscoveredDevices": None, "CDISpecDirs": ["/nowhere"]}) == []
    assert "/nowhere" in why_none({"CDISpecDirs": ["/nowhere"]})
    assert "CDI is not switched on" in why_none({})


def test_docker_is_asked_for_devices_by_name(tmp_path: Path) -> None:
    (tmp_path / "nvidia.yaml").write_text(SPECIFICATION)
    runtime, cdi = ways_of({"Runtimes": {"nvidia": {}}, "CDISpecDirs": [str(tmp_path)]}, ["0", "1"])
    asked = cdi.request(["1"])
    assert (asked["Driver"], asked["DeviceIDs"]) == ("cdi", ["nvidia.com/gpu=1"])
    asked = runtime.request(["1"])
    assert (asked["DeviceIDs"], asked["Count"]) == (["1"], 0)
    assert runtime.request(["all"])["Count"] == -1


def placed(home: Home, node: str, size: str, mode: Any = "auto", *, machine: int = 2) -> list[str]:
    own = take(home, "c", node, GpuWish(mode, size), lambda: [str(index) for index in range(machine)])
    make_disk(home, "c", node, own)
    return list(own["gpus"])


def test_no_two_nodes_have_one_gpu(home: Home) -> None:
    assert placed(home, "n1", "STANDARD_NC6") == ["0"]
    assert placed(home, "n2", "STANDARD_NC6") == ["1"]
    assert placed(home, "n1", "STANDARD_NC6") == ["0"], "placing is idempotent"
    assert placed(home, "n3", "STANDARD_D2") == []
    with pytest.raises(
        EngineError, match=r"this machine has 2 GPUs, of which none is free.*--gpus shared"
    ) as caught:
        placed(home, "n4", "STANDARD_NC6")
    assert caught.value.problem.code == GPUS_TAKEN
    assert not (home.nodes / "c" / "n4").exists()
    assert placed(home, "n5", "STANDARD_NC6", "none") == []


def test_a_node_has_as_many_as_its_size_or_all_that_there_are(home: Home) -> None:
    assert placed(home, "n1", "STANDARD_NC12", machine=3) == ["0", "1"]
    with pytest.raises(EngineError, match="1 is free"):
        placed(home, "n2", "STANDARD_NC12", machine=3)
    make_disk(home, "c", "n1", {"gpus": []})
    assert placed(home, "n3", "STANDARD_NC24", machine=3) == ["0", "1", "2"]


def test_shared_gpus_go_round_and_are_nobodys_own(home: Home) -> None:
    assert [placed(home, f"s{n}", "STANDARD_NC6", "shared") for n in range(3)] == [["0"], ["1"], ["0"]]
    assert placed(home, "n1", "STANDARD_NC6") == ["0"]


def test_a_size_that_nobody_knows_is_told_with_its_property_unless_the_users_table_has_it(home: Home) -> None:
    with pytest.raises(EngineError, match=r"properties\.vmSize: .* how many GPUs STANDARD_NC8as_T4_v3 has"):
        placed(home, "n1", "STANDARD_NC8as_T4_v3")
    assert placed(home, "n1", "STANDARD_NC8as_T4_v3", machine=0) == [], "without GPUs it does not matter"
    home.sizes_table.write_text("STANDARD_NC8AS_T4_V3: 2\n")
    assert placed(home, "n2", "STANDARD_NC8as_T4_v3") == ["0", "1"]


@pytest.mark.parametrize("text", ["[1]", "X: many", "X: -1", "X: true", "{"])
def test_a_table_of_sizes_that_is_wrong_is_refused_by_its_name(tmp_path: Path, text: str) -> None:
    file = tmp_path / "sizes.yaml"
    file.write_text(text)
    with pytest.raises(EngineError, match=str(file)):
        read_sizes(file)


def test_variables_agree() -> None:
    assert gpu_variables(["2", "3"], {}) == {
        "AZ_BATCHAI_NUM_GPUS": "2",
        "AZ_BATCHAI_NUM_GPUS_PER_NODE": "2",
        "CUDA_VISIBLE_DEVICES": "2,3",
        "NVIDIA_VISIBLE_DEVICES": "2,3",
    }
    none = gpu_variables([], {"CUDA_VISIBLE_DEVICES": "0"})
    assert (none["AZ_BATCHAI_NUM_GPUS"], none["CUDA_VISIBLE_DEVICES"]) == ("0", "")
    assert none["NVIDIA_VISIBLE_DEVICES"] == "void"
    assert gpu_variables(["2", "3"], {"CUDA_VISIBLE_DEVICES": "1"})["CUDA_VISIBLE_DEVICES"] == "3"


@pytest.mark.parametrize(
    ("inspected", "names", "cuda"),
    [
        ({"Config": {"Env": ["PATH=/bin", "CUDA_VERSION=9.0.176"]}}, [], (9, 0)),
        ({"Config": {"Labels": {"com.nvidia.cuda.version": "8.0.61"}}}, ["x:cuda9"], (8, 0)),
        ({"Config": None}, ["microsoft/cntk:2.1-gpu-python3.5-cuda8.0-cudnn6.0"], (8, 0)),
        ({}, ["pytorch/pytorch:0.4_cuda9_cudnn7"], (9, 0)),
        ({}, ["some/image:py36-cuda101"], (10, 1)),
        ({}, ["ubuntu:16.04"], None),
    ],
)
def test_an_images_cuda_is_found(inspected: Any, names: list[str], cuda: Any) -> None:
    assert cuda_of(inspected, names) == cuda


@pytest.mark.parametrize(
    ("cuda", "capability", "needed"),
    [
        ((8, 0), "9.0", "CUDA 11.8 or newer"),
        ((8, 0), "7.0", "CUDA 9.0 or newer"),
        ((10, 2), "8.0", "CUDA 11.0 or newer"),
        ((12, 4), "12.0", "CUDA 12.8 or newer"),
        ((8, 0), "6.1", ""),
        ((10, 0), "7.5", ""),
        ((11, 8), "9.0", ""),
        ((8, 0), "", ""),
        (None, "9.0", ""),
    ],
)
def test_a_cuda_that_is_older_than_the_gpu_is_told_with_what_to_do(
    cuda: Any, capability: str, needed: str
) -> None:
    told = too_old(cuda, [Gpu("0", "X", "", capability)])
    assert (needed in told) if needed else told == ""
    assert not told or "'--gpus none'" in told


@pytest.fixture
def smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a made-up nvidia-smi of a machine with two GPUs on the path."""
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{QUERIED}END\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    return program


def test_nodes_of_the_process_engine_have_gpus_of_their_own(lab_of: Callable[..., Any], smi: Path) -> None:
    assert [gpu.index for gpu in machine_gpus()] == ["0", "1"]
    lab = lab_of("process-plain")
    seen = "echo $AZ_BATCHAI_NUM_GPUS $CUDA_VISIBLE_DEVICES $NVIDIA_VISIBLE_DEVICES"
    assert lab.run(seen, gpus="auto").text() == "2 0,1 0,1\n", "nobody said what the node is to have"
    lab.engine.remove_node(lab.cluster, lab.place.node)
    lab.engine.place_node(lab.cluster, "other", GpuWish("auto", "STANDARD_NC6"))
    lab.place = lab.engine.place_node(lab.cluster, lab.place.node, GpuWish("auto", "STANDARD_NC6"))
    assert lab.run(seen, gpus="auto").text() == "1 1 1\n"
    assert "gpus: the job has 1 (NVIDIA H100)" in lab.announced
    with pytest.raises(EngineError, match="none is free"):
        lab.engine.place_node(lab.cluster, "third", GpuWish("auto", "STANDARD_NC6"))
    assert not (lab.home.nodes / lab.cluster / "third").exists()
    lab.engine.remove_node(lab.cluster, "other")
    assert read_note(lab.place.disk)["gpus"] == ["1"]
    assert lab.run(seen, gpus="none").text() == "0 void\n"
    assert lab.engine.info().gpu_note == "all that the driver lists (0, 1)"


class FakeDocker:
    """Runs throw-away containers of nothing: what they print depends on how GPUs were asked for."""

    def __init__(self, said: dict[str, tuple[int, str]]) -> None:
        self.said = said
        self.ran: list[str] = []

    def create_host_config(self, **options: Any) -> str:
        (request,) = options["device_requests"]
        return str(request["Driver"] or "runtime")

    def create_container(self, _image: str, *, host_config: str, **_options: Any) -> dict[str, str]:
        self.ran.append(host_config)
        return {"Id": host_config}

    def start(self, _id: str) -> None:
        """Start nothing."""

    def wait(self, id_: str) -> dict[str, int]:
        return {"StatusCode": self.said[id_][0]}

    def logs(self, id_: str) -> bytes:
        return self.said[id_][1].encode()

    def remove_container(self, _id: str, **_options: Any) -> None:
        """Remove nothing."""


DESCRIBED: dict[str, Any] = {
    "ID": "engine-1",
    "ServerVersion": "28.2.2",
    "Runtimes": {"nvidia": {}, "runc": {}},
    "DiscoveredDevices": [
        {"Source": "cdi", "ID": "nvidia.com/gpu=0"},
        {"Source": "cdi", "ID": "nvidia.com/gpu=all"},
    ],
}
"""What an engine of API 1.50 with both ways says of itself."""


def test_a_proof_is_tried_in_turn_and_kept_for_image_engine_and_driver(home: Home, smi: Path) -> None:
    smi.write_text("#!/bin/sh\necho 0, GPU-1, NVIDIA H100, 9.0, 550.54\n")
    api = FakeDocker({"runtime": (127, "sh: nvidia-smi: not found\n"), "cdi": (0, QUERIED.splitlines()[0])})

    def proof(image: str = "sha256:1", **more: Any) -> Proof:
        facts = read_facts({**DESCRIBED, **more})
        return prove_gpus(api, facts, home, image=image, devices=["0"], marks={})

    found = proof()
    assert (found.gpus, found.how, api.ran) == ((H100,), "by CDI", ["runtime", "cdi"])
    assert found.request["DeviceIDs"] == ["nvidia.com/gpu=0"]
    del api.said["cdi"]
    assert proof().gpus == (H100,), "it is kept"
    api.said["cdi"] = (1, "")
    for image, more in (("sha256:2", {}), ("sha256:1", {"ID": "engine-2"})):
        failed = proof(image, **more)
        assert failed.gpus == ()
        assert "by the nvidia runtime: nvidia-smi ended with 127" in failed.why
    smi.write_text("#!/bin/sh\necho 0, GPU-1, NVIDIA H100, 9.0, 570.1\n")
    assert proof().gpus == (), "another driver is proven anew"


def test_a_container_that_sees_more_than_it_was_given_proves_nothing(home: Home) -> None:
    api = FakeDocker({"cdi": (0, QUERIED)})
    facts = read_facts({**DESCRIBED, "Runtimes": {}})
    failed = prove_gpus(api, facts, home, image="i", devices=["0"], marks={})
    assert "lists 2 in the container, which was given 1" in failed.why
    assert prove_gpus(api, facts, home, image="i", devices=[], marks={}).why == "its node has no GPU"
    missing = prove_gpus(api, read_facts({}), home, image="i", devices=None, marks={})
    assert "nvidia-ctk" in missing.remedy
