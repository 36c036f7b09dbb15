"""What every JSON route answers when it does not do what was asked, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


class Failure(BaseModel):
    """What went wrong, and what a person can do; `problems` where there are several."""

    error: str
    remedy: str
    problems: list[str] | None = None


_MEANINGS = {
    400: "we or another system will not do this",
    401: "nobody is signed in",
    403: "the role, the company or the site that asks is not the right one",
    404: "there is no such thing",
    409: "somebody else is at work here; Retry-After says for how long",
    413: "too much at once",
    415: "the body is not application/json",
    422: "something was not understood",
    502: "another system did not play along",
    503: "not now: another system is busy, or settings are wrong",
}

FAILURES: dict[int | str, dict[str, Any]] = {
    status: {"model": Failure, "description": meaning} for status, meaning in _MEANINGS.items()
}
