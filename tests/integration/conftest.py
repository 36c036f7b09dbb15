"""Fixtures of the integration tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.azurite import Azurite, running_azurite


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """One storage emulator for all tests, in memory. Tests keep apart by the names of their tables and queues."""
    with running_azurite() as emulator:
        yield emulator
