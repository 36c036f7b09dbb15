"""What a failed read is filed under."""

from __future__ import annotations

from shared.billing.counts import FailureKind, ReadFailure
from shared.errors import Gone, NotPermitted, TrueUpError


def failed(source: str, customer: str, error: TrueUpError) -> ReadFailure:
    """The failure of one customer's read, as the error that ended it tells it."""
    return ReadFailure(source, customer, kind_of(error), error.message, error.remedy or "Try again.", error.request_id)


def kind_of(error: TrueUpError) -> FailureKind:
    """Why nothing is known, by the class of the error."""
    if isinstance(error, NotPermitted):
        return FailureKind.CONSENT_LOST
    if isinstance(error, Gone):
        return FailureKind.CUSTOMER_GONE
    return FailureKind.READ_FAILED


def problem(error: TrueUpError) -> str:
    """The error as a sentence of `Source.check`: what is wrong, and what to do."""
    return f"{error} {error.remedy}".strip()
