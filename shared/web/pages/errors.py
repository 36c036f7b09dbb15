"""The pages that say what went wrong and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from shared.errors import TrueUpError
from shared.web.envelope import HEADERS
from shared.web.pages.frame import environment, render
from shared.web.principal import Access

_TITLES = {
    400: "This cannot be done",
    401: "Please sign in",
    403: "This is not allowed",
    404: "There is no such page",
    405: "There is no such page",
    409: "Somebody else is at work here",
    422: "Something was not understood",
    502: "Another system did not play along",
    503: "Not now",
}
#: What the framework says of 404 and 405: the title says it in our words.
_SAID = {"Not Found", "Method Not Allowed"}
_REMEDIES = {
    403: "Ask an administrator for the role that this needs, or go back.",
    404: "Use the navigation above.",
    405: "Use the navigation above.",
}


def error_page(
    request: Request,
    status: int,
    error: str,
    remedy: str = "",
    problems: Sequence[str] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The page for an error. Whoever is not signed in is sent to sign in, and comes back to the page asked for."""
    access: Access = request.app.state.access
    if status == 401 and request.method == "GET" and access.platform:
        return RedirectResponse(sign_in(request), 302)
    page: HTMLResponse = render(
        request,
        "error.html",
        status,
        title=_TITLES.get(status, "Something went wrong"),
        error="" if error in _SAID else error,
        remedy=remedy or _REMEDIES.get(status, ""),
        problems=problems,
        sign_in=sign_in(request) if status == 401 and access.platform else None,
    )
    page.headers.update(headers or {})
    return page


def settings_page(error: TrueUpError) -> tuple[str, dict[str, str]]:
    """The page while the settings are not sound, and its headers: nothing else of the console is there then."""
    problems = getattr(error, "problems", None) or [str(error)]
    page = environment().get_template("settings.html").render(problems=problems, remedy=error.remedy)
    return page, {**HEADERS, "cache-control": "no-store"}


def sign_in(request: Request) -> str:
    """The platform's own page for signing in, and back from there; after a form to the page that held it."""
    back = request.url.path if request.method == "GET" else "/console"
    if request.method == "GET" and request.url.query:
        back = f"{back}?{request.url.query}"
    return f"/.auth/login/aad?post_login_redirect_uri={quote(back, safe='')}"
