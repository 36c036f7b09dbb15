"""What only the routes of machines answer."""

from __future__ import annotations

from collections.abc import Mapping

from typing_extensions import TypedDict


class Health(TypedDict):
    """`ok`, or `misconfigured` with 503."""

    status: str


class PoisonMessage(TypedDict):
    id: str
    since: str
    times: int
    text: str


class PoisonMessages(TypedDict):
    """The messages that nobody could work on, the oldest first."""

    messages: list[PoisonMessage]


class Dismissed(TypedDict):
    """The message that was forgotten."""

    dismissed: str


class Removed(TypedDict):
    """How many of our entries are gone from Manage."""

    removed: int


class Accepted(TypedDict):
    """How many counts are stored and how many are older than those that stand; `repeated`: the push was known."""

    stored: int
    older: int
    repeated: bool


class AcceptedCounts(Accepted):
    source: str
    customer: str


class AcceptedFile(TypedDict):
    """What became of each customer's."""

    source: str
    customers: Mapping[str, Accepted]
