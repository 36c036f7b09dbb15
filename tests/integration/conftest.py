"""Fixtures of the integration tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

# pytest would import it for its summary, after everything; on Python 3.11 the interpreter may refuse that by then.
import hypothesis  # noqa: F401
import pytest

from local.azurite import Azurite
from tests.integration.house import House, a_house, emulator


@pytest.fixture(scope="session")
def azurite() -> Azurite:
    """The storage emulator, with one account that tests share, who keep apart by the names of tables and queues."""
    return emulator()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A made-up MSP of 12 companies with nothing imported and no host yet; its leases are short."""
    with a_house(tmp_path, companies=12, TRUEUP_LEASE_SECONDS="4") as made:
        yield made
