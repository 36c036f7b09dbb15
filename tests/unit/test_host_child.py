"""A child process that is waited for: what is said when it does not come up."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from local.child import Child
from shared.errors import Refused

PATIENT = "import sys, threading; print('one', flush=True); print('port 5', flush=True); threading.Event().wait(60)"


def child(program: str, log: Path, *announcements: str) -> Child:
    return Child("sample", [sys.executable, "-c", program], log=log, announcements=announcements)


def test_it_is_ready_once_it_has_said_everything_it_should(tmp_path: Path) -> None:
    with child(PATIENT, tmp_path / "logs" / "log", "one", r"port (\d+)") as running:
        assert [match[0] for match in running.wait_until_ready(20)] == ["one", "port 5"]
        assert running.exit_code is None
    assert running.exit_code == -15
    assert running.log.read_text() == "one\nport 5\n"


def test_one_that_is_not_ready_in_time_is_ended(tmp_path: Path) -> None:
    running = child(PATIENT, tmp_path / "log", "never said")
    with pytest.raises(Refused, match=r"sample was not ready within 0\.1 s"):
        running.wait_until_ready(0.1)
    with pytest.raises(ProcessLookupError):
        os.kill(running.pid, 0)


def test_one_that_ended_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    running = child("raise SystemExit('the port is taken')", tmp_path / "log", "ready")
    with pytest.raises(Refused, match=r"ended before it was ready(.|\n)*the port is taken"):
        running.wait_until_ready(20)


def test_killing_ends_it_at_once(tmp_path: Path) -> None:
    running = child(PATIENT, tmp_path / "log", "one")
    running.wait_until_ready(20)
    assert running.kill() == -9
