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
from shared.state.runs import RunHeader
from shared.version import VERSION
from tests.integration.house import NIGHT, House, a_house
from tests.integration.waiting import eventually

pytestmark = pytest.mark.skipif(
    find_python313() is None,
    reason="NO PYTHON 3.13: the package was NOT built; put python3.13 on the PATH",
)

#: So slow that a host is in the middle of the night when it is seen to have written.
SLOW = {"system": "manage", "fault": "latency:200"}

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


def test_a_night_that_a_killed_host_began_is_ended_by_a_host_of_the_package_alone(built: Built, tmp_path: Path) -> None:
    """A deployment in the middle of a night, for another Python even: nothing is lost, nothing is written twice."""
    with a_house(tmp_path, companies=6, TRUEUP_LEASE_SECONDS="4") as house:
        house.import_rules("auto")
        house.faults(SLOW)
        before = house.host()
        house.start_night()
        eventually(lambda: house.writes() >= 2, every=0.01)
        before.kill()
        house.faults()
        house.host_of_package(python_of_deployment(), built.folder, built.folder / PACKAGES)

        assert house.get("/api/health").json() == {"status": "ok"}
        assert re.fullmatch(
            rf"{re.escape(VERSION)}\+[0-9a-f]{{7,}}(-dirty)?", house.get("/api/status").json()["version"]
        )
        assert eventually(lambda: watched_to_its_end(house), within=90, every=0.5).outcomes.keys() >= {"applied"}
        assert [row.company for row in house.ports.runs.rows(NIGHT)] == house.companies
        assert 2 <= len(house.stamps()) == len(set(house.stamps()))
        assert house.get("/console/").status_code == 401  # the console's own libraries are there too
        house.fire("backup")
        assert house.ports.backups is not None
        assert len(house.ports.backups.blobs.all()) == 1


def watched_to_its_end(house: House) -> RunHeader | None:
    house.fire("watchdog")
    header = house.ports.runs.header(NIGHT)
    return header if header is not None and header.ended is not None else None


def test_a_file_that_is_not_the_one_of_the_lock_is_not_installed(tmp_path: Path, monkeypatch) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text(f"et_xmlfile==2.0.0 --hash=sha256:{'0' * 64}\n")
    monkeypatch.setattr("local.package.build.LOCK", lock)

    with pytest.raises(Refused, match="hash"):
        build(tmp_path / "package")
    assert not (tmp_path / "package.zip").exists()
