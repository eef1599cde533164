"""What the jobs of the checks do: each program as a command of a node's shell, and for the model.

The commands need a POSIX shell with the usual small tools (busybox has them all). A backend that runs no
shell registers a bench that understands them otherwise, as ``memory`` does with ``PROGRAMS``.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from batchai_scenario.backends.memory.world import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from batchai_scenario.backends.memory.world import ProgramCall

SECRET = "a-secret-that-nobody-sees"  # noqa: S105 - that is what the checks look for
PLAIN = "in plain 'sight', $HOME"
LINES = "".join(f"line {number}\n" for number in range(1, 2001))
NAMES = ("a b.txt", "größe.txt", "数字.txt", "данные.txt", "semi;colon & more.txt", "zwölf 🚀.txt")
"""File names that a careless backend spoils."""

MANY = 10_000
BIG = 2 * 1024**3
OUT = "$AZ_BATCHAI_OUTPUT_MODEL"

ROLES = "roles.sh"
"""A script in the place of a training script, for toolkits with roles."""

TELLS = {
    "index": "AZ_BATCHAI_TASK_INDEX",
    "servers": "AZ_BATCHAI_PS_HOSTS",
    "workers": "AZ_BATCHAI_WORKER_HOSTS",
    "config": "TF_CONFIG",
    "backend": "AZ_BATCHAI_PYTORCH_BACKEND",
    "method": "AZ_BATCHAI_PYTORCH_INIT_METHOD",
}
"""The variables that it tells, each with a word on a line of its own."""

PLACE = "place"
"""The word for where the method's URL leads: a file's name with the number of its folder, or the URL itself.

A folder that nodes share may have another path on each of them."""

COMMANDS = {
    "succeed": "echo all is well; echo a word of warning >&2",
    "fail": "echo before the end; exit 3",
    "killed": "kill -9 $$",
    "missing": "there-is-no-such-command-here",
    "count": (
        "i=1; while [ $i -le 2000 ]; do echo line $i; i=$((i+1)); done; printf 'no newline'; echo aside >&2"
    ),
    "grow": (
        'echo first; until [ -f "$AZ_BATCHAI_INPUT_DATA/go" ]; do sleep 0.1; done; echo second; echo third'
    ),
    "endless": "sleep 600 & echo started; while :; do sleep 1; done",
    "write": f'cd "{OUT}" && mkdir deep && printf model > deep/one.bin && printf top > top.txt && : > empty',
    "own": f'printf %s "$WHO" > "{OUT}/who.txt"',
    "names": "; ".join(f'printf {index} > "{OUT}/{name}"' for index, name in enumerate(NAMES)),
    "many": f'cd "{OUT}"; i=0; while [ $i -lt {MANY} ]; do : > file-$i; i=$((i+1)); done',
    "big": (
        f'cd "{OUT}"; dd if=/dev/zero of=big.bin bs=1 count=0 seek={BIG} 2>/dev/null; printf end >> big.bin'
    ),
    "copy": f'cat "$AZ_BATCHAI_INPUT_DATA/one.txt" > "{OUT}/copy.txt"',
    "variables": (
        f'printf %s "$TOKEN" | wc -c | tr -d " \\n" > "{OUT}/length"; printf %s "$PLAIN" > "{OUT}/plain"'
    ),
    "note": f'printf noted > "{OUT}/one.txt"',
    "meet": 'mktemp "$AZ_BATCHAI_SHARED_JOB_TEMP/node.XXXXXX"',
    "gather": (
        f'ls "$AZ_BATCHAI_SHARED_JOB_TEMP" | grep -c ^node > "{OUT}/prepared"; '
        f'echo "$AZ_BATCH_HOST_LIST" | tr , "\\n" | sort -u | grep -c . > "{OUT}/hosts"'
    ),
    "setup": 'mktemp "$AZ_BATCHAI_MOUNT_ROOT/files/node.XXXXXX"',
    "gpus": (
        f'printf %s "$AZ_BATCHAI_NUM_GPUS" > "{OUT}/gpus"; '
        f'printf %s "${{CUDA_VISIBLE_DEVICES-unset}}" > "{OUT}/cuda"'
    ),
    "devices": (
        f'printf %s "$AZ_BATCHAI_NUM_GPUS" > "{OUT}/has"; '
        "nvidia-smi --query-gpu=uuid --format=csv,noheader 2>/dev/null | { number=0; while read -r gpu; do "
        'case ",${CUDA_VISIBLE_DEVICES-$number}," in *",$number,"*|*",$gpu,"*) echo "$gpu";; esac; '
        f'number=$((number + 1)); done; }} > "{OUT}/own"; '
        'until [ -f "$AZ_BATCHAI_INPUT_DATA/go" ]; do sleep 0.1; done'
    ),
    ROLES: "".join(f"printf '%s\\n' \"{word}=${name}\"\n" for word, name in TELLS.items())
    + f"place=${TELLS['method']}; file=${{place#file://}}\n"
    'if [ "$file" != "$place" ]; then place=$(cd "${file%/*}" && ls -di . | tr -dc 0-9)/${file##*/}; fi\n'
    f"printf '%s\\n' \"{PLACE}=$place\"\n"
    # A server is ended with the job: nobody ends before all servers have told.
     + 'if [ "$1" = serve ]; then : > "$AZ_BATCHAI_SHARED_JOB_TEMP/told-$AZ_BATCHAI_TASK_INDEX"\n'
    "while :; do sleep 1; done; fi\n"
    'count=$(echo "$AZ_BATCHAI_PS_HOSTS" | tr , "\\n" | grep -c .)\n'
    'until [ "$(ls "$AZ_BATCHAI_SHARED_JOB_TEMP" | grep -c ^told)" = "$count" ]; do sleep 0.1; done\n',
}
"""The programs by name, as commands."""


def _gone(call: ProgramCall) -> bool:
    """Tell whether the file is there for which the program ``grow`` waits."""
    with suppress(KeyError):
        call.look(call.environment["AZ_BATCHAI_INPUT_DATA"] + "/go")
        return True
    return False


_MODEL: Mapping[str, Callable[[ProgramCall], Result]] = {
    "succeed": lambda _: Result(stdout="all is well\n", stderr="a word of warning\n"),
    "fail": lambda _: Result(3, stdout="before the end\n"),
    "killed": lambda _: Result(137),
    "missing": lambda _: Result(127),
    "count": lambda _: Result(stdout=LINES + "no newline", stderr="aside\n"),
    "grow": lambda call: Result(stdout="first\nsecond\nthird\n", ends=lambda: _gone(call)),
    "endless": lambda _: Result(stdout="started\n", endless=True),
    "write": lambda _: Result(
        outputs={"MODEL/deep/one.bin": b"model", "MODEL/top.txt": b"top", "MODEL/empty": b""}
    ),
    "own": lambda call: Result(outputs={"MODEL/who.txt": call.environment["WHO"].encode()}),
    "names": lambda _: Result(
        outputs={f"MODEL/{name}": str(index).encode() for index, name in enumerate(NAMES)}
    ),
    "many": lambda _: Result(outputs={f"MODEL/file-{index}": b"" for index in range(MANY)}),
    "gpus": lambda _: Result(outputs={"MODEL/gpus": b"0", "MODEL/cuda": b""}),
    "devices": lambda call: Result(outputs={"MODEL/has": b"0", "MODEL/own": b""}, ends=lambda: _gone(call)),
    "copy": lambda call: Result(
        outputs={"MODEL/copy.txt": call.look(call.environment["AZ_BATCHAI_INPUT_DATA"] + "/one.txt")}
    ),
    "note": lambda _: Result(outputs={"MODEL/one.txt": b"noted"}),
    "meet": lambda call: Result(shared=frozenset({f"node.{call.node}"})),
    "gather": lambda call: Result(
        outputs={
            "MODEL/prepared": f"{len(call.shared)}\n".encode(),
            "MODEL/hosts": f"{len(set(call.environment['AZ_BATCH_HOST_LIST'].split(',')))}\n".encode(),
        }
    ),
    ROLES: lambda call: Result(
        stdout="".join(f"{word}={call.environment.get(name, '')}\n" for word, name in TELLS.items())
        + f"{PLACE}={call.environment.get(TELLS['method'], '')}\n"
    ),
    "setup": lambda call: Result(outputs={f"files/node.{call.node}": b""}),
    "variables": lambda call: Result(
        outputs={
            "MODEL/length": str(len(call.environment["TOKEN"])).encode(),
            "MODEL/plain": call.environment["PLAIN"].encode(),
        }
    ),
}

PROGRAMS = {name if name == ROLES else COMMANDS[name]: program for name, program in _MODEL.items()}
"""The programs by command, or by a script's name, for the backend ``memory``.

Those that need a real machine are not among them."""
