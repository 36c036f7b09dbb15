"""How the tests share the cores of a machine."""

from __future__ import annotations

from pathlib import Path

import pytest

#: Their tests start hosts, a storage emulator and browsers, and kill some: one after the other, beside all the rest.
_ONE_AT_A_TIME = {"integration", "browser"}
_TESTS = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.relative_to(_TESTS).parts[0] in _ONE_AT_A_TIME:
            item.add_marker(pytest.mark.xdist_group("one at a time"))
