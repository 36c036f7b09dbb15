"""`dev.py store …`: the store as a file, a store from a file, the daily backups, a company erased, its Manage."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from local.commands.person import person
from local.commands.settings import read_settings, require_emulator
from shared.bootstrap import make_ports
from shared.settings import load_settings
from shared.state.backups import AzureBackups
from shared.state.copies import restore_copy, write_copy
from shared.state.tables import AzureTables, StorageConnection
from shared.sync import erasing


def copy(file: Path, settings_file: Path) -> int:
    """Writes a copy of the store into a file."""
    print(f"{write_copy(AzureTables(_storage(settings_file)), file):,} rows are in {file}.")
    return 0


def restore(file: Path, settings_file: Path) -> int:
    """Fills an empty store from a file. Raises `Refused` for one that is not empty."""
    print(f"{restore_copy(AzureTables(_storage(settings_file)), file):,} rows were restored.")
    return 0


def backups(settings_file: Path) -> int:
    """Says which backups there are. Exit code 1 where there are none."""
    there = AzureBackups(_storage(settings_file)).all()
    for backup in there:
        print(f"{backup.day}  written {backup.written:%Y-%m-%d %H:%M} UTC  {backup.size:>12,} bytes")
    if not there:
        print("There are no backups.")
    return 0 if there else 1


def fetch(day: date, file: Path, settings_file: Path) -> int:
    """Writes the backup of a day into a file, as `copy` would have written it then. Raises `Gone` without one."""
    size = 0
    pieces = AzureBackups(_storage(settings_file)).read(day)
    first = next(pieces, b"")  # before the file is touched: there may be none of that day
    with file.open("wb") as out:
        size += out.write(first)
        for piece in pieces:
            size += out.write(piece)
    print(f"{size:,} bytes are in {file}.")
    return 0


def erase(company: int, settings_file: Path, name: str | None = None) -> int:
    """Erases a company that is not linked any more, and records who did, as `person` says.

    Raises `Refused` while lines of ours are billed to it.
    """
    settings = read_settings(settings_file)
    ports = make_ports(load_settings(settings))
    require_emulator(settings)
    for source, customer in erasing.erase(ports, company, person(name, "dev.py store erase")):
        print(f"Nothing is known of {customer} at {source} any more.")
    print(f"Company {company} is erased, but for which lines were written, when and why.")
    return 0


def same_manage(settings_file: Path) -> int:
    """Says that the Manage of the settings is the one that the store belongs to, under a new name."""
    settings = read_settings(settings_file)
    ports = make_ports(load_settings(settings))
    require_emulator(settings)
    before, now = ports.own_manage.rename()
    print(f"The store belongs to {now}" + (f"; it was known as {before}." if before is not None else "."))
    return 0


def _storage(settings_file: Path) -> StorageConnection:
    settings = read_settings(settings_file)
    loaded = load_settings(settings)
    require_emulator(settings)
    return loaded.storage
