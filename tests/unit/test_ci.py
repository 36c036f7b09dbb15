"""What every submission must pass says plainly when it cannot prove the console in a browser."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

RUN = Path(__file__).resolve().parents[2] / ".ci/run"
BASH = shutil.which("bash")
#: What the script needs before the tests begin, and what it would run them with.
TOOLS = ("dirname", "id")


def run(directory: Path, ci: str, *, browser: bool = False) -> subprocess.CompletedProcess[str]:
    """The script on a machine that has nothing but these tools; its Python only says what it is asked."""
    for name in TOOLS:
        (directory / name).symlink_to(shutil.which(name) or name)
    for name in ("python3", *(["chromium"] if browser else [])):
        (directory / name).write_text(f'#!{BASH}\necho "asked: $*"\n')
        (directory / name).chmod(0o755)
    environment = {"PATH": str(directory), "CI": ci}
    return subprocess.run(
        [BASH or "bash", str(RUN)], env=environment, capture_output=True, text=True, timeout=30, check=False
    )


def test_without_chromium_ci_fails_before_anything_else_and_says_why(tmp_path):
    done = run(tmp_path, "true")
    assert done.returncode == 1
    assert "NO BROWSER TEST CAN RUN" in done.stderr
    assert "apt-get install chromium" in done.stderr
    assert "asked" not in done.stdout


def test_without_chromium_a_submission_goes_on_and_says_so_first_and_last(tmp_path):
    done = run(tmp_path, "submission")
    assert done.returncode == 0
    assert done.stderr.count("NO BROWSER TEST CAN RUN") == 2
    assert "asked: dev.py test" in done.stdout


@pytest.mark.parametrize("ci", ["true", "submission"])
def test_with_chromium_nothing_is_said(tmp_path, ci):
    done = run(tmp_path, ci, browser=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[-1] for line in done.stdout.splitlines()] == ["test", "check", "cover"]
