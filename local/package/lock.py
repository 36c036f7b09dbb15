"""`dev.py lock`: requirements.lock, every package of a deployment in one version and by the hash of its one file.

It is made by pip itself, with the Python that is deployed, on Linux on a 64-bit PC as Azure runs it: whatever index pip
asks, what is installed from the lock is these files or nothing.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from local.official_runtime import find_python313
from shared.errors import Misconfigured, Refused

REPOSITORY = Path(__file__).resolve().parents[2]
LOCK = REPOSITORY / "requirements.lock"

_HEAD = """\
# Every package of a deployment, by version and by the SHA-256 of its file for Python 3.13 on Linux on a 64-bit PC.
# Made from requirements.txt by `python dev.py lock`, which also renews it.
"""


def lock(requirements: Path = REPOSITORY / "requirements.txt", into: Path = LOCK) -> int:
    """Writes the newest versions that requirements.txt allows. Raises `Misconfigured` without the right Python."""
    before = into.read_text(encoding="utf-8") if into.exists() else ""
    text = _HEAD + "".join(_lines(_resolved(python_of_deployment(), requirements)))
    into.write_text(text, encoding="utf-8")
    changed = sorted(_pinned(text) - _pinned(before))
    print(f"{len(_pinned(text))} packages, new or in another version: {', '.join(changed) or 'none'}")
    return 0


def _pinned(text: str) -> set[str]:
    return {line.split()[0] for line in text.splitlines() if not line.startswith("#")}


def python_of_deployment() -> Path:
    """A Python as Azure's instances have it. Raises `Misconfigured` where there is none."""
    python = find_python313()
    if python is None or (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise Misconfigured(["this takes Python 3.13 on Linux on a 64-bit PC (x86_64), as Azure runs it"], system="pip")
    return python


def _resolved(python: Path, requirements: Path) -> list[dict[str, Any]]:
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary=:all:"]
    command += ["--dry-run", "--ignore-installed", "--report", "-", "--requirement", str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    if done.returncode != 0:
        raise Refused(f"pip could not resolve {requirements.name}:\n{done.stderr[-2000:]}", system="pip")
    found: list[dict[str, Any]] = json.loads(done.stdout)["install"]
    return found


def _lines(resolved: list[dict[str, Any]]) -> list[str]:
    """One entry per package, by name. The address that pip took the file from stays out: any index will do."""
    return sorted(
        f"{each['metadata']['name'].lower()}=={each['metadata']['version']} "
        f"--hash=sha256:{each['download_info']['archive_info']['hashes']['sha256']}\n"
        for each in resolved
    )
