"""`dev.py doctor` against the made-up systems, in order and with faults, as somebody reads it who set them up."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from local.host.process import REPOSITORY
from tests.integration.house import House


def doctor(house: House, folder: Path) -> tuple[int, dict[str, str]]:
    """The exit code, and what was said of each check."""
    file = folder / "doctor.settings.json"
    file.write_text(json.dumps({"Values": house.settings}), encoding="utf-8")
    command = [sys.executable, "-m", "local.cli", "doctor", "--settings", str(file)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False)
    said: dict[str, str] = {}
    for line in done.stdout.splitlines():
        if line.startswith("  "):
            said[list(said)[-1]] += line.strip()
        else:
            name, _, verdict = line.partition(":")
            said[name] = verdict.strip()
    return done.returncode, said


def test_the_doctor_finds_what_is_wrong_and_writes_nothing(house: House, tmp_path: Path) -> None:
    house.import_rules("auto")
    house.forget_calls()

    code, said = doctor(house, tmp_path)

    assert code == 1
    assert said.pop("schedules").startswith("nightly: no tick has seen these times yet")
    assert said.pop("last night").startswith("No night has run yet")
    assert said.pop("alarms").startswith("Warning: Nobody is told when a night, the storage or Manage fails.")
    assert set(said) >= {
        "settings",
        "storage",
        "ConnectWise Manage",
        "microsoft365",
        "huntress",
        "cove",
        "pax8",
        "poison",
    }
    assert set(said.values()) == {"in order"}
    assert house.writes() == 0

    house.faults(
        {"system": "manage", "route": "/procurement/catalog", "fault": "html-200"},
        {"system": "huntress", "fault": "html-200"},
        {"system": "cove", "fault": "truncated"},
    )
    code, said = doctor(house, tmp_path)

    assert code == 1
    assert "the answer is an HTML page" in said["ConnectWise Manage"]
    assert said["huntress"] != "in order"
    assert said["cove"] != "in order"
    assert said["pax8"] == said["microsoft365"] == "in order"
    assert house.writes() == 0
