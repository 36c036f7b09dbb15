"""What the Pax8 source needs to know."""

from __future__ import annotations

from dataclasses import dataclass, field

#: Every status that Pax8 knows, in lower case. Another one is not guessed at: it makes a reading a failure.
STATUSES = frozenset(
    {
        "active",
        "cancelled",
        "pendingmanual",
        "pendingautomated",
        "pendingcancel",
        "waitingfordetails",
        "trial",
        "converted",
        "pendingactivation",
        "activated",
    }
)
#: Those that Pax8 charges for. The pending ones are charged too: a change of quantity makes an active subscription
#: pending for a while, and one that is to be cancelled runs until its end.
BILLABLE = frozenset({"active", "converted", "pendingmanual", "pendingautomated", "pendingcancel"})


@dataclass(frozen=True)
class Pax8Settings:
    """Credentials of one Pax8 partner. `billable` are the statuses whose subscriptions count, in lower case.

    `usage`: what is charged in arrears is counted by Pax8's invoices.
    """

    client_id: str
    client_secret: str = field(repr=False)
    url: str = "https://api.pax8.com/v1"
    token_url: str = "https://api.pax8.com/v1/token"
    audience: str = "https://api.pax8.com"
    billable: frozenset[str] = BILLABLE
    usage: bool = False
