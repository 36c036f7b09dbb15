"""`dev.py package`: the folder and the file that are deployed, whole: nothing is built or looked up on Azure.

Of Microsoft's Graph library goes what TrueUp never asks for: its typed requests and models, nine tenths of everything.
"""

from __future__ import annotations

import fnmatch
import hashlib
import shutil
import subprocess
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from local.package.lock import LOCK, REPOSITORY, python_of_deployment
from shared.errors import Refused
from shared.version import BUILD_FILE

#: Where the platform looks for packages that were deployed with an app.
PACKAGES = ".python_packages/lib/site-packages"
#: Of the generated part of `msgraph` only these are imported when its request adapter is.
_KEPT_OF_GRAPH = {"__init__.py", "base_graph_service_client.py"}
#: So that the same content makes the same file; the compiled modules do not go by times.
_ANY_TIME = (2020, 1, 1, 0, 0, 0)
_START = "import function_app; print(len(function_app.app.get_functions()))"


@dataclass(frozen=True, slots=True)
class Built:
    """A package: its folder and file, sizes in bytes, and seconds in which a new process had indexed its functions."""

    folder: Path
    file: Path
    files: int
    unpacked: int
    packed: int
    functions: int
    first_start: float
    next_start: float


def package(into: Path) -> int:
    """Builds `into`.zip and says how large it is and how fast it starts."""
    built = build(into)
    megabytes = 1_000_000
    print(f"{built.file}: {built.files:,} files, {built.functions} functions")
    print(f"{built.packed / megabytes:.1f} MB packed, {built.unpacked / megabytes:.1f} MB unpacked")
    print(f"indexed {built.first_start:.2f} s after its process began, {built.next_start:.2f} s the next time")
    return 0


def build(folder: Path) -> Built:
    """Makes the package anew in a folder of its own, with its packages if the lock has changed, and zips it.

    Raises `Misconfigured` without the Python that is deployed, `Refused` where a package's hash is not the lock's or
    the package does not start.
    """
    python = python_of_deployment()
    _with_packages(python, folder)
    for old in folder.iterdir():
        if old.name != PACKAGES.split("/", maxsplit=1)[0]:
            shutil.rmtree(old) if old.is_dir() else old.unlink()
    for path in shipped_files():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPOSITORY / path, target)
    (folder / "shared" / BUILD_FILE).write_text(_commit(), encoding="utf-8")
    _compile(python, folder)
    functions, first = _start(python, folder)
    _, following = _start(python, folder)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    zipped = folder.with_suffix(".zip")
    _zip(folder, files, zipped)
    unpacked = sum(path.stat().st_size for path in files)
    return Built(folder, zipped, len(files), unpacked, zipped.stat().st_size, functions, first, following)


def _commit() -> str:
    """The commit that is built, with a mark where files differ from it."""
    return _run(["git", "describe", "--always", "--dirty", "--exclude", "*"], REPOSITORY).strip()


def shipped_files() -> list[str]:
    """The files of the repository that .funcignore lets through, by their path in it."""
    listed = _run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], REPOSITORY)
    return sorted(path for path in listed.splitlines() if is_shipped(path) and (REPOSITORY / path).is_file())


def is_shipped(path: str) -> bool:
    """Whether .funcignore lets a file through. It uses names and folders only, wherever they lie."""
    patterns = (REPOSITORY / ".funcignore").read_text(encoding="utf-8").split()
    *folders, name = path.split("/")
    ignored = (
        any(fnmatch.fnmatch(folder, pattern.rstrip("/")) for folder in (folders if pattern.endswith("/") else [name]))
        for pattern in patterns
    )
    return not any(ignored)


def _with_packages(python: Path, folder: Path) -> None:
    """Installs what the lock says, each file by its hash, unless exactly that is there already."""
    target, stamp = folder / PACKAGES, folder.with_suffix(".stamp")
    wanted = hashlib.sha256(LOCK.read_bytes() + Path(__file__).read_bytes()).hexdigest()
    if target.is_dir() and stamp.exists() and stamp.read_text() == wanted:
        return
    stamp.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    target.mkdir(parents=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    install += ["--require-hashes", "--no-deps", "--only-binary=:all:", "--target", str(target)]
    _run([*install, "--requirement", str(LOCK)], folder)
    shutil.rmtree(target / "bin", ignore_errors=True)
    for path in _needless(target):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    stamp.write_text(wanted)


def _needless(packages: Path) -> Iterator[Path]:
    """What lies in the generated part of the Graph library beside what importing its request adapter takes."""
    return (path for path in (packages / "msgraph/generated").iterdir() if path.name not in _KEPT_OF_GRAPH)


def _compile(python: Path, folder: Path) -> None:
    """Compiled once here, and taken as it is at every start: times of files do not survive being unpacked."""
    _run([str(python), "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(folder)], folder)


def _start(python: Path, folder: Path) -> tuple[int, float]:
    """How many functions a new process finds that has nothing but the package, and after how many seconds."""
    began = time.perf_counter()
    found = run_alone(python, folder, _START)
    return int(found), time.perf_counter() - began


def run_alone(python: Path, folder: Path, program: str) -> str:
    """What a program prints that sees Python's own library and the package, and nothing else of this machine."""
    path = [str(folder), str(folder / PACKAGES)]
    alone = f"import sys; sys.path[:] = {path!r} + [p for p in sys.path if 'site-packages' not in p]; {program}"
    return _run([str(python), "-I", "-S", "-c", alone], folder)


def _zip(folder: Path, files: list[Path], into: Path) -> None:
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            entry = zipfile.ZipInfo(file.relative_to(folder).as_posix(), _ANY_TIME)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, file.read_bytes())


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900, check=False)
    if done.returncode != 0:
        raise Refused(f"{' '.join(command[:6])} … failed:\n{done.stderr[-3000:]}", system="package")
    return done.stdout
