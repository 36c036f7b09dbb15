"""Index a function app with Microsoft's own worker library, which finds what would break a deployment.

The library exists for Python 3.13 and later only. So this module is two things: imported, it finds such a Python, keeps
a virtual environment for it and asks there; run as a script by that Python, it prints the answer as JSON.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
RUNTIME = "azure-functions-runtime>=1.3,<2"

#: Messages that the library builds through us; only their names and a few constants matter.
CONSTANTS = {
    "StatusResult": {"Failure": 0, "Success": 1, "Cancelled": 2},
    "BindingInfo": {"out": 1, "inout": 2, "undefined": 0, "string": 1, "binary": 2, "stream": 3},
}
MESSAGES = (
    *CONSTANTS,
    *("WorkerInitResponse", "WorkerMetadata", "RpcException"),
    *("FunctionMetadataResponse", "RpcFunctionMetadata", "RpcRetryOptions"),
)


def find_python313() -> Path | None:
    """A Python 3.13 that really runs: the one on the PATH, or one that pyenv installed. None when there is none."""
    return next((python for python in _candidates() if _is_python313(python)), None)


def index_with_official_runtime(app: Path, python: Path | None = None) -> list[dict[str, Any]]:
    """The functions of an app directory by name, each `{"name": …, "bindings": […]}`, as the platform would see them.

    The first call downloads the packages of requirements.txt into `.local/py313`; later ones reuse it. Raises
    `Misconfigured` when there is no Python 3.13, and with the library's words when it refuses the app; `Refused` when
    the packages cannot be installed.
    """
    # Not at the top: as a script this module runs where the app's own root may not be importable.
    from shared.errors import Misconfigured

    found = python or find_python313()
    if found is None:
        raise Misconfigured(["Python 3.13 was not found: install it and put python3.13 on the PATH"], system="runtime")
    interpreter = _environment(found, REPOSITORY / ".local" / "py313")
    # -P keeps this file's own directory off the import path: the platform has the app's and its packages'.
    command = [str(interpreter), "-P", __file__, str(app.resolve())]
    answer = subprocess.run(command, cwd=app, capture_output=True, text=True, timeout=120, check=False)
    if answer.returncode != 0:
        raise Misconfigured([answer.stderr.strip() or "the library ended without a word"], system="Microsoft's runtime")
    functions: list[dict[str, Any]] = json.loads(answer.stdout.splitlines()[-1])
    return functions


def _candidates() -> Iterator[Path]:
    if on_path := shutil.which("python3.13"):
        yield Path(on_path)
    for directory in sorted((Path.home() / ".pyenv" / "versions").glob("3.13*"), reverse=True):
        yield directory / "bin" / "python"


def _is_python313(python: Path) -> bool:
    """A pyenv shim is on the PATH even where its version is switched off, so only running it tells."""
    check = [str(python), "-c", "import sys; print(sys.version_info[:2] == (3, 13))"]
    try:
        answer = subprocess.run(check, capture_output=True, text=True, timeout=30, check=False)
    except OSError:
        return False
    return answer.stdout.strip() == "True"


def _environment(python: Path, directory: Path) -> Path:
    """The interpreter of a virtual environment that holds what requirements.txt says now, and the library."""
    requirements = REPOSITORY / "requirements.txt"
    stamp = directory / "installed"
    wanted = hashlib.sha256(f"{python}\n{RUNTIME}\n{requirements.read_text()}".encode()).hexdigest()
    interpreter = directory / "bin" / "python"
    if not (stamp.exists() and stamp.read_text() == wanted):
        _prepare([str(python), "-m", "venv", "--clear", str(directory)])
        install = [str(interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
        _prepare([*install, "-r", str(requirements), RUNTIME])
        stamp.write_text(wanted)
    return interpreter


def _prepare(command: list[str]) -> None:
    from shared.errors import Refused

    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    if done.returncode != 0:
        raise Refused(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}", system="Python 3.13")


class _Message:
    """Stands in for any message: keeps its keyword arguments."""

    def __init__(self, **fields: object) -> None:
        self.__dict__.update(fields)


async def _index(app: str) -> list[dict[str, Any]]:
    """Runs inside Python 3.13. Ends the program with the library's words when it refuses the app."""
    import azure_functions_runtime as runtime  # type: ignore[import-not-found]

    messages: dict[str, Any] = {name: type(name, (_Message,), CONSTANTS.get(name, {})) for name in MESSAGES}
    properties = {"host": "127.0.0.1", "protos": SimpleNamespace(**messages)}

    def request(verb: str, **fields: object) -> SimpleNamespace:
        inner = SimpleNamespace(**{verb: SimpleNamespace(**fields)})
        return SimpleNamespace(request=inner, properties=properties)

    begun = await runtime.worker_init_request(
        request("worker_init_request", capabilities={}, function_app_directory=app)
    )
    if begun.result.status != messages["StatusResult"].Success:
        raise SystemExit(str(begun.result.exception.message))
    answer = await runtime.functions_metadata_request(request("functions_metadata_request"))
    functions = answer.function_metadata_results or []
    if not functions:
        raise SystemExit("it found no functions: is function_app.py there?")
    return [
        {"name": function.name, "bindings": [json.loads(raw) for raw in function.raw_bindings]}
        for function in sorted(functions, key=lambda function: function.name.lower())
    ]


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    sys.path.insert(1, os.path.join(sys.argv[1], ".python_packages", "lib", "site-packages"))
    os.chdir(sys.argv[1])
    print(json.dumps(asyncio.run(_index(sys.argv[1]))))
