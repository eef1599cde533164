"""Other languages for the tests: Debian's packages and what lies in wheels, unpacked and not installed.

Nothing of the machine changes, and no right is needed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.lacking import skip_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

SECONDS = 500
LIBRARIES = "usr/lib/x86_64-linux-gnu"
PACKAGES = {
    "go": (
        "golang-go",
        "golang-github-azure-azure-sdk-for-go-dev",
        "golang-github-azure-go-autorest-dev",
    ),
    "ruby": ("ruby", "ruby-azure-storage-blob", "ruby-ms-rest-azure"),
    "r": ("r-base-core", "r-cran-httr", "r-cran-jsonlite"),
    "mono": ("mono-mcs", "mono-runtime"),
}
DOTNET = ("dotnetcore2==3.1.23", "azureml-dataprep==1.1.38")
"""The runtime; and Microsoft's libraries for storage and sign-in of 2019, which that program carries."""

JAVA = "hail==0.2.139"
"""Its jar holds azure-identity 1.8.3 and azure-storage-blob 12.22.0."""

_BULLSEYE = "deb http://deb.debian.org/debian bullseye main\n"


@dataclass(frozen=True)
class Language:
    """How programs of a language are started: the command before the program, and variables."""

    command: tuple[str, ...]
    variables: dict[str, str] = field(default_factory=dict)


def run(*command: str, cwd: Path | None = None, variables: Mapping[str, str] | None = None) -> None:
    """Run a command to its end; fails the test with all that it said."""
    made = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **(variables or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert made.returncode == 0, f"{' '.join(command)}\n{made.stdout}\n{made.stderr}"


def kept_or_made(folder: Path, make: Callable[[Path], None]) -> Path:
    """Give a folder, made once."""
    complete = folder / "complete"
    if not complete.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        make(folder)
        complete.touch()
    return folder


def debian(kept: Path, name: str) -> Path:
    """Unpack a language's Debian packages, with what they need beside this machine's own."""
    if shutil.which("apt-get") is None:
        skip_for("apt-get", "Debian's packages cannot be had")
    return kept_or_made(kept / f"debian-{name}", lambda folder: _unpack(folder, PACKAGES[name]))


def _unpack(folder: Path, packages: tuple[str, ...], *options: str) -> None:
    archives = folder / "archives"
    (archives / "partial").mkdir(parents=True)
    own = ("-o", "Debug::NoLocking=1", "-o", f"Dir::Cache::archives={archives}", *options)
    words = ("--yes", "--no-install-recommends", "--download-only", "--reinstall")
    run("apt-get", "-qq", *own, "install", *words, *packages)
    for archive in sorted(archives.glob("*.deb")):
        run("dpkg-deb", "--extract", str(archive), str(folder))
    shutil.rmtree(archives)
    for link in folder.rglob("*"):
        if link.is_symlink() and (target := os.readlink(link)).startswith("/"):  # noqa: PTH115 - as it stands
            inside = folder / target[1:]
            if inside.exists():
                link.unlink()
                link.symlink_to(inside)


def wheel(kept: Path, requirement: str, wanted: str) -> Path:
    """Fetch a wheel and unpack the files below ``wanted``, each by its own name for ``*.dll``."""

    def make(folder: Path) -> None:
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
        run(*pip, "--ignore-requires-python", "--only-binary=:all:", "--dest", str(folder), requirement)
        (file,) = folder.glob("*.whl")
        with zipfile.ZipFile(file) as archive:
            archive.extractall(folder, [name for name in archive.namelist() if wanted in name])
        file.unlink()

    return kept_or_made(kept / requirement.replace("==", "-"), make)


def go(kept: Path, source: Path) -> Language:
    """Build a program; ``source`` is one file."""
    root = debian(kept, "go")
    (goroot,) = root.glob("usr/lib/go-1.*")
    program = root / source.stem
    workspace = root / "workspace"
    workspace.mkdir(exist_ok=True)
    if not (workspace / "src").is_symlink():
        (workspace / "src").symlink_to(root / "usr/share/gocode/src")
    variables = {
        "GOROOT": str(goroot),
        "GOPATH": str(workspace),
        "GOCACHE": str(root / "cache"),
        "GO111MODULE": "off",
    }
    run(str(goroot / "bin/go"), "build", "-o", str(program), str(source), variables=variables)
    return Language((str(program),))


def ruby(kept: Path, source: Path) -> Language:
    """Run a program with the gems of Debian."""
    root = debian(kept, "ruby")
    gems = "rubygems-integration/*/{}/*"
    folders = [root / "usr/lib/ruby/vendor_ruby", *root.glob("usr/lib/ruby/[0-9]*")]
    folders += [*root.glob(f"{LIBRARIES}/ruby/[0-9]*"), *root.glob(f"{LIBRARIES}/ruby/vendor_ruby/*")]
    for above in ("usr/share", LIBRARIES):
        folders += root.glob(f"{above}/{gems.format('gems')}/lib")
        folders += root.glob(f"{above}/{gems.format('gems')}/lib/concurrent-ruby")
    folders += root.glob(f"{LIBRARIES}/rubygems-integration/*/extensions/*/*/*")
    (program,) = root.glob("usr/bin/ruby[0-9].[0-9]")
    variables = {"RUBYLIB": ":".join(map(str, folders)), "LD_LIBRARY_PATH": str(root / LIBRARIES)}
    return Language((str(program), str(source)), variables)


def r(kept: Path, source: Path) -> Language:
    """Run a program with the packages of Debian, as Rscript does."""
    root = debian(kept, "r")
    home = root / "usr/lib/R"
    settings = home / "etc" / "Renviron"
    settings.unlink(missing_ok=True)
    settings.touch()
    libraries = [home / "lib", *(root / LIBRARIES / name for name in ("", "blas", "lapack"))]
    variables = {
        "R_HOME": str(home),
        "R_SHARE_DIR": str(root / "usr/share/R/share"),
        "R_LIBS": f"{home}/site-library:{home}/library",
        "LD_LIBRARY_PATH": ":".join(map(str, libraries)),
        "EDITOR": "vi",
    }
    command = (str(home / "bin/exec/R"), "--no-echo", "--no-restore", "-f", str(source), "--args")
    return Language(command, variables)


def java(kept: Path, source: Path) -> Language:
    """Run a program from its source."""
    if shutil.which("java") is None:
        skip_for("java", "there is no program java")
    (jar,) = wheel(kept, JAVA, "backend/hail-all-spark.jar").rglob("*.jar")
    return Language(("java", "-cp", str(jar), str(source)))


def dotnet(kept: Path, source: Path) -> Language:
    """Compile a program against the runtime's own assemblies and Microsoft's libraries."""
    runtime = wheel(kept, DOTNET[0], "dotnetcore2/bin/")
    libraries = wheel(kept, DOTNET[1], "engineapi/bin/")
    ssl = kept_or_made(kept / "debian-libssl1.1", _old_ssl)
    (framework,) = runtime.rglob("shared/Microsoft.NETCore.App/*")
    folder = runtime / "program"
    folder.mkdir(exist_ok=True)
    own = [
        file for file in libraries.rglob("*.dll") if file.name.startswith(("Microsoft.", "Newtonsoft.Json"))
    ]
    for file in own:
        shutil.copy(file, folder)
    mono = debian(kept, "mono")
    assemblies = [*framework.glob("System*.dll"), framework / "netstandard.dll", framework / "mscorlib.dll"]
    used = [
        *(folder / f"Microsoft.Azure.Storage.{name}.dll" for name in ("Common", "File")),
        folder / "Microsoft.IdentityModel.Clients.ActiveDirectory.dll",
        folder / "Newtonsoft.Json.dll",
    ]
    run(
        str(mono / "usr/bin/mono-sgen"),
        str(mono / "usr/lib/mono/4.5/mcs.exe"),
        *("-nostdlib", "-noconfig", f"-out:{folder / source.with_suffix('.dll').name}"),
        *(f"-r:{file}" for file in (*assemblies, *used)),
        str(source),
        variables={
            "MONO_CFG_DIR": str(mono / "etc"),
            "MONO_PATH": str(mono / "usr/lib/mono/4.5"),
            "LD_LIBRARY_PATH": str(mono / "usr/lib"),
        },
    )
    (folder / f"{source.stem}.runtimeconfig.json").write_text(
        '{"runtimeOptions": {"framework": {"name": "Microsoft.NETCore.App", "version": "3.1.0"},'
        ' "configProperties": {"System.Globalization.Invariant": true}}}'
    )
    (host,) = runtime.rglob("bin/dotnet")
    host.chmod(0o755)
    return Language(
        (str(host), "exec", str(folder / source.with_suffix(".dll").name)),
        {"LD_LIBRARY_PATH": str(ssl / LIBRARIES)},
    )


def _old_ssl(folder: Path) -> None:
    """Fetch OpenSSL 1.1, which .NET Core 3.1 needs, from the Debian that had it."""
    state = folder / "state"
    (state / "lists" / "partial").mkdir(parents=True)
    (folder / "sources.list").write_text(_BULLSEYE)
    options = (
        *("-o", f"Dir::Etc::sourcelist={folder / 'sources.list'}", "-o", "Dir::Etc::sourceparts=-"),
        *("-o", f"Dir::State::lists={state / 'lists'}", "-o", f"Dir::Cache={state}"),
    )
    run("apt-get", "-qq", *options, "-o", "Debug::NoLocking=1", "update")
    run("apt-get", "-qq", *options, "download", "libssl1.1", cwd=folder)
    (archive,) = folder.glob("*.deb")
    run("dpkg-deb", "--extract", str(archive), str(folder))
    shutil.rmtree(state)
