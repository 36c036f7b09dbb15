"""What the client needs to know to talk to one ConnectWise Manage."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from shared.errors import Misconfigured


class CancelledDay(StrEnum):
    """Whether an addition still bills on its cancelled date. Unconfirmed, so that each Manage is asked by calibration.

    `billed`: it is the last billed day, as the core means it. `free`: the day before is, and dates are translated.
    """

    BILLED = "billed"
    FREE = "free"


@dataclass(frozen=True)
class ManageSettings:
    """Where Manage is and who we are there.

    Either `base_url`, used verbatim (`https://api-na.myconnectwise.net/v4_6_release/apis/3.0`), or `site`
    (`na.myconnectwise.net`), from which the base is discovered; with both, `base_url` counts. `company` is what a
    person types as "Company" at login. `api_version` (`2025.16`) pins the answers' format; None takes the server's
    own. `ca_file` names a file of certificates to trust instead of the usual ones. `cancelled_day` says how cancelled
    dates are read and written there.
    """

    base_url: str | None
    site: str | None
    company: str
    public_key: str
    private_key: str = field(repr=False)
    client_id: str
    api_version: str | None = None
    calls_in_flight: int = 4
    timeout_seconds: float = 30
    ca_file: str | None = None
    cancelled_day: CancelledDay = CancelledDay.BILLED

    def __post_init__(self) -> None:
        if not (self.base_url or self.site):
            raise Misconfigured(["Manage: set the base URL, or the site (for example na.myconnectwise.net)."])
