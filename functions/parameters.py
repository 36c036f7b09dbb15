"""What routes have in their path."""

from __future__ import annotations

import azure.functions as func

from shared.errors import Gone

#: Manage's record ids have at most so many digits.
DIGITS = 10


def company_of(request: func.HttpRequest) -> int:
    """The company id in the route. Raises `Gone` for what cannot be one."""
    text = request.route_params["id"]
    if not text.isascii() or not text.isdigit() or len(text) > DIGITS:
        raise Gone(f"{text[:40]!r} is no company id", remedy="Use the company's record id in Manage, a whole number.")
    return int(text)
