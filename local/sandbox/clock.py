"""The sandbox's business clock: it stands still until somebody sets it."""

from __future__ import annotations

from datetime import UTC, date, datetime


class Clock:
    """What day and time it is at the made-up MSP. It does not tick, so that every run of a demo or test is the same."""

    def __init__(self, now: datetime) -> None:
        self.set(now)

    def now(self) -> datetime:
        """The present moment, in UTC."""
        return self._now

    def today(self) -> date:
        """The present day, in UTC."""
        return self._now.date()

    def set(self, moment: datetime) -> None:
        """Moves the clock, forwards or back. Raises ValueError for a moment without a time zone."""
        if moment.tzinfo is None:
            raise ValueError("the clock needs a moment with a time zone, for example 2026-11-21T02:00:00Z")
        self._now = moment.astimezone(UTC)
