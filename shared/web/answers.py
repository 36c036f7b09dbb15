"""How the errors of the tree become HTTP, the same for machines and for people."""

from __future__ import annotations

from typing import Any

from shared.errors import Busy, Gone, Incomplete, Misconfigured, NotPermitted, Refused, Retryable, TrueUpError

#: The first class that fits decides; 502 says that the fault lies behind us.
_STATUS: tuple[tuple[type[TrueUpError], int], ...] = (
    (Busy, 409),
    (Gone, 404),
    (Misconfigured, 503),
    (Refused, 400),
    (NotPermitted, 502),
    (Incomplete, 502),
    (Retryable, 503),
)


def told(error: TrueUpError) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Status, JSON body and headers of an answer that says what went wrong and what to do."""
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    body: dict[str, Any] = {"error": str(error), "remedy": error.remedy}
    if problems := getattr(error, "problems", None):
        body["problems"] = problems
    headers = {}
    if isinstance(error, Retryable) and error.retry_after is not None:
        headers["Retry-After"] = str(round(error.retry_after))
    return status, body, headers
