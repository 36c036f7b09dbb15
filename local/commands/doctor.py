"""`dev.py doctor` and `dev.py sources`: what stands in the way of a night, check by check; nothing is changed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from local.commands.settings import read_settings, require_emulator
from shared.bootstrap import make_ports
from shared.settings import load_settings
from shared.sync.checkup import Check, check_sources, check_up


def doctor(file: Path) -> int:
    """Every check. Answers 1 when anything is wrong. Raises `Misconfigured` with every problem of the settings."""
    settings = read_settings(file)
    ports = make_ports(load_settings(settings))
    require_emulator(settings)
    return _tell([Check("settings")]) | _tell(check_up(ports))


def sources(file: Path) -> int:
    """The checks of the sources alone."""
    ports = make_ports(load_settings(read_settings(file)))
    if not ports.sources:
        print("The settings connect no source.")
    return _tell(check_sources(ports))


def _tell(checks: Iterable[Check]) -> int:
    """Prints each check as it is done, and answers 1 when anything is wrong; a warning alone is nothing wrong."""
    troubled = 0
    for check in checks:
        told = [*check.problems, *(f"Warning: {warning}" for warning in check.warnings)]
        print(f"{check.name}:" if told else f"{check.name}: in order", flush=True)
        for sentence in told:
            print(f"  {sentence}")
        troubled |= bool(check.problems)
    return int(troubled)
