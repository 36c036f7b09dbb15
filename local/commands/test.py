"""The tests: all of them in two processes side by side, or what pytest's arguments name in one."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

#: Of the integration tests, long ones that start no host.
WITHOUT_HOSTS = (
    "tests/integration/test_digests.py",
    "tests/integration/test_fault_matrix.py",
    "tests/integration/test_official_runtime.py",
    "tests/integration/test_year.py",
)
#: The other ones start hosts and kill some: one after the other, beside all the rest, which takes about as long.
HOSTS = ("tests/integration", *(f"--ignore={file}" for file in WITHOUT_HOSTS))
REST = ("tests/unit", "tests/flow", "tests/browser", *WITHOUT_HOSTS)


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
