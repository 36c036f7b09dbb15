"""`dev.py rules export|import`: the rules in force as one YAML document, out and in."""

from __future__ import annotations

import sys
from pathlib import Path

from local.commands.person import person
from local.commands.settings import read_settings, require_emulator
from shared.bootstrap import make_ports
from shared.errors import Refused
from shared.settings import load_settings
from shared.sync.ports import Ports
from shared.sync.rulebook import COMMAND_LINE, export_rules, import_rules


def export_to(file: str, settings_file: Path) -> int:
    """Writes the rules to a file, or to the standard output for `-`."""
    text = export_rules(_ports(settings_file))
    if file == "-":
        sys.stdout.write(text)
    else:
        Path(file).write_text(text, encoding="utf-8")
        print(f"The rules are in {file}.")
    return 0


def import_from(file: str, settings_file: Path, name: str | None = None) -> int:
    """Makes a file's rules those in force, and records who did: `name`, or whoever is signed in to this machine.

    Raises `RulesProblem` with every problem; then nothing has changed.
    """
    imported = import_rules(_ports(settings_file), _read(file), person(name, COMMAND_LINE.name))
    print(
        f"The rules are in force as version {imported.version}: {imported.profiles} profiles, "
        f"{imported.policies} policies, {imported.companies} companies."
    )
    if imported.left:
        left = ", ".join(map(str, imported.left))
        print(f"Not in the document any more, so no longer synced: companies {left}.")
    if imported.careful:
        careful = ", ".join(map(str, imported.careful))
        print(f"Companies {careful} stay in the mode into which an undo has put them.")
        print("Write that mode into the document and import it; what the document says after that counts again.")
    return 0


def _read(file: str) -> str:
    if file == "-":
        return sys.stdin.read()
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{file} cannot be read: {error}", system="rules", remedy="Nothing was changed.") from error


def _ports(settings_file: Path) -> Ports:
    settings = read_settings(settings_file)
    loaded = load_settings(settings)
    require_emulator(settings)
    return make_ports(loaded)
