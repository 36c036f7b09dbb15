"""Which TrueUp this is. CHANGELOG.md says what each version brought."""

from __future__ import annotations

from functools import cache
from pathlib import Path

VERSION = "0.3.0"

#: Beside this file in a built package: the commit it was built from.
BUILD_FILE = "build.txt"


@cache
def running_version() -> str:
    """The version and, in a built package, the commit: `0.2.0+1a2b3c4`."""
    built = Path(__file__).with_name(BUILD_FILE)
    return f"{VERSION}+{built.read_text(encoding='utf-8').strip()}" if built.is_file() else VERSION
