"""`dev.py start`: the functions host against real systems, as it would run in Azure."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from local.azurite import DEFAULT_PORTS, REPOSITORY, Azurite
from local.commands.settings import emulator_answers, read_settings, wants_emulator

#: Handlers have 30 seconds after Ctrl-C.
_DRAIN = 40


def start(settings_file: Path, port: int) -> int:
    """Runs the host in the foreground until it ends. Raises `Misconfigured` when there are no settings."""
    settings = read_settings(settings_file)
    host = [sys.executable, "-m", "local.host", "--app", str(REPOSITORY), "--port", str(port)]
    with ExitStack() as stack:
        if wants_emulator(settings) and not emulator_answers():
            location = REPOSITORY / ".local" / "storage"
            stack.enter_context(Azurite(location, ports=DEFAULT_PORTS, log=REPOSITORY / ".local" / "azurite.log"))
            print(f"storage emulator on ports {DEFAULT_PORTS[0]} to {DEFAULT_PORTS[-1]}, data in {location}")
        process = subprocess.Popen([*host, "--settings", str(settings_file.resolve())], cwd=REPOSITORY, env=settings)
        stack.callback(_end, process)
        try:
            return process.wait()
        except KeyboardInterrupt:
            return 0


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_DRAIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
