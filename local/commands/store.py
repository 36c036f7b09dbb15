"""`dev.py store copy|restore`: everything that is stored into a file, and a file into an empty store."""

from __future__ import annotations

from pathlib import Path

from local.commands.settings import read_settings, require_emulator
from shared.settings import load_settings
from shared.state.copies import restore_copy, write_copy
from shared.state.tables import AzureTables


def copy(file: Path, settings_file: Path) -> int:
    """Writes a copy of the store into a file."""
    print(f"{write_copy(_tables(settings_file), file):,} rows are in {file}.")
    return 0


def restore(file: Path, settings_file: Path) -> int:
    """Fills an empty store from a file. Raises `Refused` for one that is not empty."""
    print(f"{restore_copy(_tables(settings_file), file):,} rows were restored.")
    return 0


def _tables(settings_file: Path) -> AzureTables:
    settings = read_settings(settings_file)
    loaded = load_settings(settings)
    require_emulator(settings)
    return AzureTables(loaded.storage)
