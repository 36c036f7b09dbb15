"""The settings of a command that works on the real thing: the environment, completed by local.settings.json."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path

from local.azurite import DEFAULT_PORTS
from local.host.settings import add_local_settings
from shared.errors import Misconfigured, Refused
from shared.settings import PLATFORM_MARKS

_EXAMPLE = "local.settings.example.json"


def read_settings(file: Path) -> dict[str, str]:
    """The environment, completed by what the file says. Raises `Misconfigured` when there is no file."""
    if not file.exists():
        raise Misconfigured([f"{file} does not exist: copy {_EXAMPLE} to it and put in your own values"])
    # This is not the platform, even where a developer's container sets one of its marks.
    environment = {name: value for name, value in os.environ.items() if name not in PLATFORM_MARKS}
    add_local_settings(file, environment)
    return environment


def wants_emulator(settings: Mapping[str, str]) -> bool:
    """Whether they name the storage emulator at its usual ports."""
    return settings.get("AzureWebJobsStorage", "").strip().rstrip(";") == "UseDevelopmentStorage=true"


def emulator_answers() -> bool:
    """Whether something listens where the storage emulator has its tables."""
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex(("127.0.0.1", DEFAULT_PORTS[-1])) == 0


def require_emulator(settings: Mapping[str, str]) -> None:
    """Raises `Refused` where the settings name the storage emulator and it does not answer."""
    if wants_emulator(settings) and not emulator_answers():
        raise Refused(
            "the storage emulator does not answer",
            system="storage",
            remedy="Run `python dev.py start` in another terminal: it starts the emulator.",
        )
