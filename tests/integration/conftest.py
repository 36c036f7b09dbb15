"""Fixtures of the integration tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

# pytest would import it for its summary, after everything; on Python 3.11 the interpreter may refuse that by then.
import hypothesis  # noqa: F401
import pytest

from local.azurite import Azurite, running_azurite
from tests.integration.house import House, a_house


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """One storage emulator for all tests, in memory. Tests keep apart by the names of their tables and queues."""
    with running_azurite() as emulator:
        yield emulator


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A made-up MSP of 12 companies with nothing imported and no host yet; its leases are short."""
    with a_house(tmp_path, companies=12, TRUEUP_LEASE_SECONDS="4") as made:
        yield made
