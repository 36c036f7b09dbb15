"""The tests: all of them in two processes side by side, or what pytest's arguments name in one."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

#: Their tests start hosts and a storage emulator, and kill some: one after the other, beside all the rest.
HOSTS = ("tests/integration",)
REST = ("tests/unit", "tests/flow", "tests/browser")


def test(arguments: list[str], repository: Path) -> int:
    """The exit code of pytest, of both the one that is not 0."""
    os.chdir(repository)
    if arguments:
        import pytest

        return int(pytest.main(arguments))
    return _all()


def _all() -> int:
    """What the second process prints is shown once the first is through, so that neither writes into the other."""
    pytest = [sys.executable, "-m", "pytest"]
    with tempfile.TemporaryFile() as said:
        rest = subprocess.Popen([*pytest, *REST], stdout=said, stderr=subprocess.STDOUT)
        try:
            first = subprocess.run([*pytest, *HOSTS], check=False).returncode
        except BaseException:
            rest.kill()
            raise
        finally:
            second = rest.wait()
            said.seek(0)
            sys.stdout.buffer.write(said.read())
            sys.stdout.flush()
    return first or second
