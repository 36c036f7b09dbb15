"""What Microsoft's own worker library finds in an app is what the local functions host finds in it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local.official_runtime import REPOSITORY, find_python313, index_with_official_runtime
from shared.errors import Misconfigured

SAMPLE = Path(__file__).parent / "apps" / "sample"
APPS = [SAMPLE, *([REPOSITORY] if (REPOSITORY / "function_app.py").exists() else [])]

needs_python313 = pytest.mark.skipif(
    find_python313() is None,
    reason="NO PYTHON 3.13: the app was NOT checked with Microsoft's runtime; put python3.13 on the PATH",
)


def index_with_local_host(app: Path) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "local.host", "--index", "--app", str(app)]
    answer = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=True)
    functions: list[dict[str, Any]] = json.loads(answer.stdout.splitlines()[-1])
    return functions


def comparable(functions: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Bindings by function, without regard to their order and to fields that are not set."""
    return {
        function["name"]: sorted(
            ({key: value for key, value in binding.items() if value is not None} for binding in function["bindings"]),
            key=lambda binding: str(binding["name"]),
        )
        for function in functions
    }


@needs_python313
@pytest.mark.parametrize("app", APPS, ids=lambda app: app.name)
def test_both_find_the_same_functions_with_the_same_bindings(app: Path) -> None:
    official = index_with_official_runtime(app)
    assert comparable(official) == comparable(index_with_local_host(app))
    assert official


@needs_python313
@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("again = app", "More than one"),
        ("@app.route('none')\ndef none(req: func.HttpRequest) -> None: ...", "return annotation"),
        ("import a_package_that_is_not_required", "a_package_that_is_not_required"),
    ],
)
def test_what_would_break_a_deployment_is_told(tmp_path: Path, line: str, complaint: str) -> None:
    sample = (SAMPLE / "function_app.py").read_text()
    (tmp_path / "function_app.py").write_text(f"{sample}\n{line}\n")
    (tmp_path / "host.json").write_text('{"version": "2.0"}')
    with pytest.raises(Misconfigured, match=complaint):
        index_with_official_runtime(tmp_path)


@needs_python313
def test_an_empty_directory_is_not_an_app_without_functions(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="no functions"):
        index_with_official_runtime(tmp_path)


def test_a_python_that_does_not_run_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shim = tmp_path / "python3.13"
    shim.write_text("#!/bin/sh\necho 'command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_python313() is None
