"""What is deployed: which files of the repository, and which packages."""

from __future__ import annotations

import re

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from local.package.build import is_shipped
from local.package.lock import LOCK
from tests.unit.templates import ROOT


@pytest.mark.parametrize(
    ("path", "shipped"),
    [
        ("function_app.py", True),
        ("host.json", True),
        ("requirements.txt", True),
        ("functions/workers.py", True),
        ("shared/bootstrap.py", True),
        ("shared/sources/microsoft365/source.py", True),
        ("tests/unit/test_infra.py", False),
        ("local/cli.py", False),
        ("docs/deploy.md", False),
        ("infra/main.bicep", False),
        ("dev.py", False),
        ("azure.yaml", False),
        ("package-lock.json", False),
        (".azure/config.json", False),
        (".coverage", False),
        ("requirements-dev.txt", False),
        ("requirements.lock", False),
        ("local.settings.json", False),
        ("cloud.settings.json", False),
        ("my-rules.yaml", False),
        ("store-2026-11-21.jsonl.gz", False),
        (".venv/bin/python", False),
        ("node_modules/azurite/package.json", False),
        (".git/config", False),
        ("shared/__pycache__/errors.cpython-313.pyc", False),
    ],
)
def test_the_package_holds_what_runs_and_nothing_else(path, shipped):
    assert is_shipped(path) is shipped


def test_no_module_template_or_stylesheet_of_the_app_is_left_out_of_the_package():
    files = [path for room in ("functions", "shared") for path in (ROOT / room).rglob("*.*") if path.suffix != ".pyc"]

    assert {".py", ".html", ".txt", ".css", ".js"} == {path.suffix for path in files if path.is_file()}
    assert [path for path in files if not is_shipped(path.relative_to(ROOT).as_posix())] == []


def locked() -> dict[str, str]:
    """Version by package of requirements.lock."""
    lines = [line for line in LOCK.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    found = [re.fullmatch(r"([\w.-]+)==([\w.]+) --hash=sha256:[0-9a-f]{64}", line) for line in lines]
    assert all(found)
    return {canonicalize_name(each[1]): each[2] for each in found if each}


def test_every_deployed_package_is_pinned_by_its_hash_in_a_version_that_the_requirements_allow():
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    required = [Requirement(line) for line in text.splitlines() if line and not line.startswith("#")]
    deployed = [each for each in required if each.marker is None or each.marker.evaluate({"python_version": "3.13"})]

    assert len(deployed) > 10
    assert [
        str(each) for each in deployed if not each.specifier.contains(locked().get(canonicalize_name(each.name), "0"))
    ] == []


def test_the_lock_names_no_address():
    assert "://" not in LOCK.read_text(encoding="utf-8")
