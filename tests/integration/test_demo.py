"""The demo as a person starts it: the four nights hold, it ends when asked, and nothing of it stays behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local.demo.performance import OPENING
from local.demo.stage import REPOSITORY, Stage, set_up
from tests.integration.waiting import eventually


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "local.cli", *arguments]


def test_four_nights_at_a_small_msp_do_what_they_should(tmp_path: Path) -> None:
    file, picture = tmp_path / "report.json", tmp_path / "demo.svg"
    options = ["--companies", "9", "--seed", "7", "--once", "--report", str(file), "--picture", str(picture)]
    done = subprocess.run(
        command("demo", *options), cwd=REPOSITORY, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Every night did what it should." in done.stdout
    observe, applied, quiet, moved = json.loads(file.read_text())["nights"]
    assert [observe["night"], applied["night"], quiet["night"], moved["night"]] == [
        "observe",
        "applied",
        "quiet",
        "moved",
    ]
    for entry in (observe, applied, quiet, moved):
        assert sum(entry["outcomes"].values()) == entry["companies"] == 9
    assert sum(observe["planned"].values()) > 0
    assert applied["created"] + applied["updated"] + applied["ended"] > 0
    for entry in (observe, quiet):
        assert entry["created"] == entry["updated"] == entry["ended"] == 0
    assert moved["created"] + moved["updated"] + moved["ended"] > 0
    assert "Approved by pat@birchline.example: " in done.stdout
    shared = done.stdout.partition("One agreement, several vendors: ")[2].partition("approve")[0]
    for vendor in ("Cove", "Huntress", "Microsoft 365", "Pax8", "pushed by a script"):
        assert f"\n {vendor} " in shared
    assert "Cove storage, per GB - 11/01/2026-11/30/2026" in shared
    assert picture.read_text().startswith("<svg")


@pytest.mark.skipif(sys.platform != "linux", reason="children are looked up in /proc")
def test_a_demo_that_is_told_to_end_leaves_no_process_behind() -> None:
    demo = subprocess.Popen(command("demo", "--companies", "3"), cwd=REPOSITORY, stdout=subprocess.DEVNULL)
    try:
        children = eventually(lambda: found if len(found := _children(demo.pid)) == 3 else set(), within=60)
        demo.send_signal(signal.SIGTERM)
        assert demo.wait(60) == 143
    finally:
        demo.kill()
        demo.wait()
    eventually(lambda: not any(_runs(child) for child in children), within=30)


def test_rules_travel_out_and_in_and_a_wrong_line_changes_nothing(tmp_path: Path) -> None:
    with set_up(2, 7, OPENING, tmp_path / "stage") as stage:
        given = tmp_path / "rules.yaml"
        given.write_text((REPOSITORY / "docs" / "rules.example.yaml").read_text(encoding="utf-8"), encoding="utf-8")
        assert "in force as version 1" in _rules(stage, 0, "import", str(given)).stdout
        exported = _rules(stage, 0, "export", "-").stdout
        given.write_text(re.sub(r"(?m)^( +mode:) \w+$", r"\1 obsrve", exported), encoding="utf-8")
        said = _rules(stage, 2, "import", str(given)).stderr
        assert "obsrve" in said
        assert "must be one of observe" in said
        assert "line " in said
        assert _rules(stage, 0, "export", "-").stdout == exported


def _rules(stage: Stage, code: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command("rules", *arguments, "--settings", str(stage.settings_file)),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def _children(pid: int) -> set[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {int(child) for child in found}


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
