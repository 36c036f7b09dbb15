"""What is deployed, built as for a deployment: it needs nothing but itself, and a host runs a night from it alone."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.official_runtime import REPOSITORY, find_python313, index_with_official_runtime
from local.package.build import PACKAGES, Built, build, run_alone, shipped_files
from local.package.lock import python_of_deployment
from shared.errors import Misconfigured, Refused
from shared.version import VERSION
from tests.integration.house import NIGHT, a_house

pytestmark = pytest.mark.skipif(
    find_python313() is None,
    reason="NO PYTHON 3.13: the package was NOT built; put python3.13 on the PATH",
)

IMPORT_ALL = """
import importlib, json, sys
for name in json.loads({names!r}):
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        module, _, attribute = name.rpartition(".")
        getattr(importlib.import_module(module), attribute)
print("all")
"""


@pytest.fixture(scope="module")
def built() -> Built:
    """Its packages are installed once for a lock; the rest is made anew."""
    try:
        return build(REPOSITORY / ".local" / "package")
    except Misconfigured as error:
        pytest.skip(f"NOT HERE: the package was NOT built: {error}")


def test_the_package_is_small_and_starts_with_nothing_but_itself(built: Built) -> None:
    """Bounds against a library that comes back whole; what it is exactly `dev.py package` says."""
    assert built.unpacked < 150_000_000
    assert built.packed < 50_000_000
    assert built.functions >= 20


def test_whatever_the_app_imports_is_in_the_package_also_what_it_imports_late(built: Built) -> None:
    names = sorted(set(imported(built.folder)))

    assert {"msgraph.GraphRequestAdapter", "azure.storage.blob.ContainerClient"} <= set(names)
    assert run_alone(python_of_deployment(), built.folder, exec_of(names)) == "all\n"


def imported(folder: Path) -> Iterator[str]:
    """What the package's own modules import when they run, wherever in them: modules, and names from modules."""
    for path in shipped_files():
        if path.endswith(".py"):
            yield from names_in(ast.parse((folder / path).read_text(encoding="utf-8")))


def names_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue  # never imported
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        else:
            yield from names_in(node)


def exec_of(names: list[str]) -> str:

    return f"exec({IMPORT_ALL.format(names=json.dumps(names))!r})"


def test_microsofts_own_library_indexes_the_package(built: Built) -> None:
    assert len(index_with_official_runtime(built.folder)) == built.functions


def test_a_host_runs_a_night_from_the_package_alone(built: Built, tmp_path: Path) -> None:
    with a_house(tmp_path, companies=4) as house:
        house.import_rules("auto")
        house.host_of_package(python_of_deployment(), built.folder, built.folder / PACKAGES)

        assert house.get("/api/health").json() == {"status": "ok"}
        assert re.fullmatch(
            rf"{re.escape(VERSION)}\+[0-9a-f]{{7,}}(-dirty)?", house.get("/api/status").json()["version"]
        )
        house.start_night()
        header = house.ended(NIGHT)
        assert header.outcomes.keys() >= {"applied"}
        assert house.stamps()
        assert house.get("/console/").status_code == 401  # the console's own libraries are there too
        house.fire("backup")
        assert house.ports.backups is not None
        assert len(house.ports.backups.blobs.all()) == 1


def test_a_file_that_is_not_the_one_of_the_lock_is_not_installed(tmp_path: Path, monkeypatch) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text(f"et_xmlfile==2.0.0 --hash=sha256:{'0' * 64}\n")
    monkeypatch.setattr("local.package.build.LOCK", lock)

    with pytest.raises(Refused, match="hash"):
        build(tmp_path / "package")
    assert not (tmp_path / "package.zip").exists()
