"""Two clocks. The business date comes from a port; leases, deadlines and retries use real time."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from shared.billing.wording import spoken
from shared.errors import Incomplete


class Clock(Protocol):
    """Real time and business time."""

    def now(self) -> datetime:
        """Real time, aware, UTC."""

    def business_now(self) -> datetime:
        """Business time, aware, in the MSP's own zone: what schedules and the day of a reading go by."""


def business_date(clock: Clock) -> date:
    """The MSP's local day."""
    return clock.business_now().date()


def spoken_moment(moment: datetime, zone: ZoneInfo) -> str:
    """A time as a person writes it, in the MSP's zone: 1 Dec 2026, 02:00 CET."""
    local = moment.astimezone(zone)
    return f"{spoken(local.date())}, {local:%H:%M %Z}"


class SystemClock:
    """Business time is real time."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone

    def now(self) -> datetime:
        return datetime.now(UTC)

    def business_now(self) -> datetime:
        return datetime.now(self._zone)


class SandboxClock:
    """Business time is the sandbox's, which can be moved. Never on the platform: settings refuse it there."""

    def __init__(self, url: str, zone: ZoneInfo) -> None:
        self._url = url
        self._zone = zone

    def now(self) -> datetime:
        return datetime.now(UTC)

    def business_now(self) -> datetime:
        """The sandbox's time. Raises `Incomplete` when the sandbox does not answer with one."""
        import requests  # the platform never comes here

        try:
            answer = requests.get(self._url, timeout=10, allow_redirects=False)
            answer.raise_for_status()
            return datetime.fromisoformat(answer.json()["now"].replace("Z", "+00:00")).astimezone(self._zone)
        except (requests.RequestException, ValueError, KeyError) as error:
            raise Incomplete("the sandbox clock could not be read", system="sandbox") from error
