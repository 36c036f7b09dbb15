"""What a failed read is filed under, and how reads and checks end in words instead of an error."""

from __future__ import annotations

from collections.abc import Callable

from shared.billing.counts import FailureKind, ReadFailure, Reading
from shared.errors import Gone, NotPermitted, TrueUpError


def failed(source: str, customer: str, error: TrueUpError) -> ReadFailure:
    """The failure of one customer's read, as the error that ended it tells it."""
    return ReadFailure(source, customer, kind_of(error), error.message, error.remedy or "Try again.", error.request_id)


def no_customer(source: str, customer: str, what: str, remedy: str) -> ReadFailure:
    """The failure for a link that names something else than a customer of the vendor; `what` it should have named."""
    return ReadFailure(
        source,
        customer,
        FailureKind.CUSTOMER_GONE,
        f"The company is linked to something that is not {what}.",
        remedy,
    )


def reading_or_failure(source: str, customer: str, read: Callable[[], Reading]) -> Reading | ReadFailure:
    """What a read gives, or why it gave nothing."""
    try:
        return read()
    except TrueUpError as error:
        return failed(source, customer, error)


def problems_of(ask: Callable[[], object]) -> list[str]:
    """What `Source.check` answers: why a small question failed, or nothing."""
    try:
        ask()
    except TrueUpError as error:
        return [problem(error)]
    return []


def is_number(customer: str) -> bool:
    """Whether a customer's id is a number, as some vendors have them."""
    return customer.isascii() and customer.isdigit()


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
