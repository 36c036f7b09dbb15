"""The two cookies of the pages: the token that every form carries, and a notice for the page after a form."""

from __future__ import annotations

import hmac
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Literal

from fastapi import HTTPException, Request, Response

from shared.web.principal import Access

#: Characters; a browser keeps cookies of up to 4 KiB.
_LONGEST_NOTICE = 700
#: Seconds; the page that shows a notice follows at once.
_NOTICE_AGE = 60


@dataclass(frozen=True, slots=True)
class Notice:
    """One sentence about what was just done, or why it was not."""

    text: str
    kind: Literal["done", "problem"] = "done"


def token_of(request: Request) -> str:
    """The token of this browser: the one it has, or a new one that `keep_token` gives to it. One for each request."""
    token: str | None = getattr(request.state, "token", None)
    if token is None:
        token = request.cookies.get(_name(request, "token")) or secrets.token_urlsafe(32)
        request.state.token = token
    return token


def keep_token(request: Request, response: Response) -> None:
    """Gives the token to a browser that has none yet."""
    if _name(request, "token") not in request.cookies:
        _set(request, response, "token", token_of(request))


async def from_our_form(request: Request) -> None:
    """A dependency of everything that a form does: the form is one of ours, sent by the browser that was given it.

    Another site can make a browser send a form, but neither read nor set the token's cookie. Raises 403.
    """
    sent = (await request.form()).get("token")
    own = request.cookies.get(_name(request, "token"), "")
    if not isinstance(sent, str) or not own or not hmac.compare_digest(sent.encode(), own.encode()):
        raise HTTPException(403, "this form is too old or not one of ours; go back, load the page again and repeat")


def keep_notice(request: Request, response: Response, notice: Notice) -> None:
    """Gives a notice to the next page."""
    text = notice.text if len(notice.text) <= _LONGEST_NOTICE else notice.text[: _LONGEST_NOTICE - 1] + "…"
    value = urlsafe_b64encode(json.dumps([notice.kind, text]).encode()).decode().rstrip("=")
    _set(request, response, "notice", value, _NOTICE_AGE)


def take_notice(request: Request) -> Notice | None:
    """The notice that the page before gave; None without one, or where it cannot be read."""
    value = request.cookies.get(_name(request, "notice"), "")
    try:
        kind, text = json.loads(urlsafe_b64decode(value + "=" * (-len(value) % 4)))
    except (ValueError, TypeError, RecursionError):
        return None
    return Notice(str(text), "problem" if kind == "problem" else "done")


def drop_notice(request: Request, response: Response) -> None:
    if _name(request, "notice") in request.cookies:
        _set(request, response, "notice", "", 0)


def _set(request: Request, response: Response, name: str, value: str, age: int | None = None) -> None:
    # Lax, not Strict: Strict does not come along when a link in a mail opens a page, and the new token that the page
    # would then give breaks the forms that stand open in other tabs. A form of another site brings neither.
    response.set_cookie(
        _name(request, name), value, max_age=age, path="/", secure=_secure(request), httponly=True, samesite="lax"
    )


def _name(request: Request, name: str) -> str:
    """`__Host-` keeps other hosts of the same domain from setting it; browsers allow that where it is secure only."""
    return f"__Host-trueup-{name}" if _secure(request) else f"trueup-{name}"


def _secure(request: Request) -> bool:
    """The platform speaks https with browsers always; on this machine the host speaks http."""
    access: Access = request.app.state.access
    return access.platform or request.url.scheme == "https"
