"""The short form of `dev.py soak`: hosts killed all the time, faults everywhere, and nothing differs afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.soak.run import soak


def test_after_two_nights_in_a_storm_manage_says_what_two_calm_nights_say(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    differs = soak(12, 10, seed=7, folder=tmp_path)
    told = capsys.readouterr().out
    assert differs == 0, told
    assert "7 kills" in told
    assert "3 kills" in told
