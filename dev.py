#!/usr/bin/env python3
"""TrueUp on one machine. Makes its own environment when it is missing; needs Python 3.11 and Node 20, or later ones.

  python dev.py demo [--companies 40] [--seed 7] [--once] [--report FILE]   four nights at a made-up MSP
  python dev.py test [pytest arguments]                                     the tests
  python dev.py start [--port 7071]                                         the host, with local.settings.json
  python dev.py rules export|import FILE [--as NAME]                        the rules as one YAML document
  python dev.py store copy|restore FILE                                     everything that is stored, as a file
  python dev.py store backups | fetch DAY FILE                              the daily backups of it
  python dev.py store erase COMPANY [--as NAME]                             a company that has left, for good
  python dev.py store same-manage                                           its Manage has a new name, but is the same
  python dev.py sources                                                     whether every source can be read
  python dev.py doctor                                                      what stands in the way of a night
  python dev.py consent --app ID TENANT …                                   the app's roles in customers' tenants
  python dev.py sandbox [--port P] [--companies N] [--seed S]               made-up Manage and vendors
  python dev.py package                                                     what is deployed, as one file
  python dev.py release TAG                                                 whether a tag may become a release
  python dev.py cost [--companies N …]                                      what a month costs in Azure
  python dev.py pictures [--into FOLDER]                                    the console's pages for the docs
  python dev.py lock                                                        renew requirements.lock
  python dev.py bench [--companies N] [--only NAME]                         speed against its budgets
  python dev.py soak [--companies N] [--kills N]                            nights whose hosts are killed all the time
  python dev.py check                                                       style and types
  python dev.py cover                                                       the branches of the money core

`python dev.py COMMAND --help` tells more.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
OLDEST_PYTHON = (3, 11)
OLDEST_NODE = 20
#: These do not use the storage emulator, so they do not need Node.
WITHOUT_NODE = {"rules", "store", "sources", "doctor", "consent", "sandbox", "package", "release", "lock", "cost"}


class Unprepared(Exception):
    """The environment cannot be made; the message says what to do."""


def main(arguments: list[str]) -> int:
    """Prepares the environment and runs the command in it. Answers the command's exit code."""
    try:
        require_python(sys.version_info[:2])
        if not arguments or arguments[0] in ("-h", "--help"):
            print((__doc__ or "").strip())
            return 0
        prepare_python(ROOT)
        if arguments[0] not in WITHOUT_NODE:
            prepare_node(ROOT)
    except Unprepared as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; the next start goes on from here.", file=sys.stderr)
        return 130
    return run_in_environment(ROOT, arguments)


def require_python(version: tuple[int, ...]) -> None:
    if version < OLDEST_PYTHON:
        wanted, found = (".".join(map(str, each)) for each in (OLDEST_PYTHON, version))
        raise Unprepared(f"TrueUp needs Python {wanted} or later; this is {found}. Start dev.py with a newer one.")


def prepare_python(root: Path) -> None:
    """Makes `.venv` with everything from requirements-dev.txt, unless it holds exactly that already."""
    environment, interpreter = root / ".venv", python_of(root)
    wanted = fingerprint(root / "requirements.txt", root / "requirements-dev.txt")
    if interpreter.exists() and is_stamped(environment, wanted):
        return
    if not interpreter.exists():
        say("making the virtual environment .venv")
        try:
            run([sys.executable, "-m", "venv", "--clear", str(environment)], root, "Debian and Ubuntu: python3-venv")
        except Unprepared:
            # Half an environment has an interpreter too, and would be taken for a whole one next time.
            shutil.rmtree(environment, ignore_errors=True)
            raise
    say("installing the Python packages of requirements-dev.txt (a minute or two)")
    # What is imported is compiled then: most of Microsoft's Graph library, 17,000 modules, never is.
    install = [str(interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    run([*install, "-r", "requirements-dev.txt"], root, "is the package index reachable?")
    stamp(environment, wanted)


def prepare_node(root: Path) -> None:
    """Makes `node_modules` from package-lock.json (the storage emulator), unless it holds exactly that already."""
    modules = root / "node_modules"
    wanted = fingerprint(root / "package-lock.json")
    npm = require_node()
    if not is_stamped(modules, wanted):
        say("installing the storage emulator with npm")
        run([npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"], root, "is the package registry reachable?")
        stamp(modules, wanted)


def require_node() -> str:
    """The path of npm. Raises `Unprepared` when it or Node is missing, or Node too old."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        missing = "Node.js" if node is None else "npm"
        raise Unprepared(
            f"{missing} was not found: install Node {OLDEST_NODE} or later with npm (nodejs.org); "
            "the storage emulator runs on it."
        )
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    major = re.match(r"v(\d+)\.", answer)
    if major is None or int(major[1]) < OLDEST_NODE:
        raise Unprepared(f"The storage emulator needs Node {OLDEST_NODE} or later; {node} says {answer or 'nothing'}.")
    return npm


def python_of(root: Path) -> Path:
    return root / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def fingerprint(*files: Path) -> str:
    """Changes whenever one of the files does."""
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def is_stamped(folder: Path, wanted: str) -> bool:
    """Whether the folder was made whole from files with this fingerprint."""
    file = folder / ".trueup"
    return file.exists() and file.read_text() == wanted


def stamp(folder: Path, wanted: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / ".trueup").write_text(wanted)


def say(step: str) -> None:
    print(f"dev.py: {step} …", file=sys.stderr, flush=True)


def run(command: list[str], root: Path, hint: str) -> None:
    """One step without its noise. Raises `Unprepared` with the end of what it said when it fails."""
    done = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        said = "\n".join(done.stdout.decode(errors="replace").strip().splitlines()[-15:])
        raise Unprepared(f"{said}\n{' '.join(command)} failed ({hint})")


def run_in_environment(root: Path, arguments: list[str]) -> int:
    """`local.cli` with the environment's own interpreter, in the caller's directory."""
    paths = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    command = [str(python_of(root)), "-m", "local.cli", *arguments]
    if os.name != "nt":
        # Becoming the command, not starting it: signals then reach it, whoever sends them.
        os.execve(command[0], command, environment)
    # Ctrl-C goes to the whole console group; the command cleans up and we wait for it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
