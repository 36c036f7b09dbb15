"""`dev.py sources`: whether every source that the settings name can be read."""

from __future__ import annotations

from pathlib import Path

from local.commands.settings import read_settings
from shared.bootstrap import make_ports
from shared.settings import load_settings


def check(file: Path) -> int:
    """Asks every source, prints what is wrong with it, and answers 1 when anything is."""
    sources = make_ports(load_settings(read_settings(file))).sources
    if not sources:
        print("The settings connect no source.")
    troubled = 0
    for name in sorted(sources):
        problems = sources[name].check()
        print(f"{name}:" if problems else f"{name}: in order")
        for problem in problems:
            print(f"  {problem}")
        troubled += bool(problems)
    return 1 if troubled else 0
