"""Programs in other languages, with their users' libraries: the quickstart's steps at Azure's addresses.

What each library sends is replayed in ``test_replays.py``, which runs always.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.clients import foreign
from tests.clients.conftest import HERE, PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.clients.conftest import Emulated

pytestmark = [pytest.mark.endurance, pytest.mark.network, pytest.mark.timeout(1500)]

GO = """\
group learning
share false
folder 0 lesson.sh
cluster nodes succeeded 1
job succeeded 0
stdouterr execution.log file ...
stdouterr stderr.txt file ...
stdouterr stdout.txt file seen 3 lines
MODEL model.txt file weights of 3 lines
missing true
refused true
left false
"""
JAVA = """\
group learning
account Succeeded
blob digits/lesson.sh
cluster succeeded
job succeeded
model weights of 3 lines
left
"""
DOTNET = """\
group learning
file lesson.sh 236
cluster succeeded
job succeeded
model weights of 3 lines
left []
"""
RUBY = """\
group learning
blobs ["digits/lesson.sh"]
again 409 ContainerAlreadyExists
cluster succeeded
job succeeded
model weights of 3 lines
left []
"""
R = """\
group learning
version 2018-05-01
account AzureR/AzureRMR
workspace AzureR/AzureRMR
cluster succeeded
job succeeded
model weights of 3 lines
refused 400 TRUE
left 0
"""


@pytest.mark.parametrize(
    ("language", "program", "expected"),
    [
        pytest.param(foreign.go, "batchai.go", GO, id="go"),
        pytest.param(foreign.java, "Signed.java", JAVA, id="java"),
        pytest.param(foreign.dotnet, "Uploads.cs", DOTNET, id="dotnet"),
        pytest.param(foreign.ruby, "batchai.rb", RUBY, id="ruby"),
        pytest.param(foreign.r, "batchai.R", R, id="r"),
    ],
)
def test_the_quickstart_in_another_language(
    emulated: Emulated,
    kept: Path,
    language: Callable[[Path, Path], foreign.Language],
    program: str,
    expected: str,
) -> None:
    how = language(kept, HERE / "languages" / program)
    script = str(PROGRAMS / "lesson.sh")
    lines = emulated(*how.command, script, timeout=300, env=how.variables).splitlines()
    assert [line.rstrip() for line in lines] == expected.splitlines()
