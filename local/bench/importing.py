"""How long the app takes to be imported, and that it imports nothing before it is used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator

from local.bench.budgets import Measured
from local.demo.stage import REPOSITORY

_TIMES = 5
_LATER = ("msgraph", "fastapi", "jinja2", "azure.identity", "shared.rules")
_PROGRAM = f"""
import json, sys, time
started = time.perf_counter()
import function_app
seconds = time.perf_counter() - started
print(json.dumps({{"seconds": seconds, "early": [name for name in {_LATER!r} if name in sys.modules]}}))
"""


def importing(_: int) -> Iterator[Measured]:
    """The best of five fresh processes, the first of which compiles: the package that is deployed is compiled too."""
    with tempfile.TemporaryDirectory() as compiled:
        answers = [_import(compiled) for _ in range(_TIMES)]
    early = sorted({name for _, names in answers for name in names})
    seconds = min(seconds for seconds, _ in answers)
    yield Measured("import", seconds, 1.0, "s", f"function_app in a fresh process, best of {_TIMES}")
    remark = f"imported before use: {', '.join(early) or 'none'} of {', '.join(_LATER)}"
    yield Measured("import-early", len(early), 0.5, "SDKs", remark)


def _import(compiled: str) -> tuple[float, list[str]]:
    """Seconds it took, and what was imported that should have waited."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    answer = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        cwd=REPOSITORY,
        env={**environment, "PYTHONPYCACHEPREFIX": compiled},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    found = json.loads(answer.stdout)
    return found["seconds"], found["early"]
