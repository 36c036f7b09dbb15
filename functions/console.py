"""What people use: one ASGI app, made at its first request so that indexing the app stays cheap."""

from __future__ import annotations

from functools import cache
from urllib.parse import urlsplit

import azure.functions as func

from functions.answers import answer, failed
from functions.gate import Gate, too_many
from shared.bootstrap import access, ports
from shared.errors import TrueUpError
from shared.given import is_loopback

blueprint = func.Blueprint()

#: Bytes: some times the longest list of companies. The app reads a body before it asks who sent it.
LARGEST = 256 * 1024
#: Bytes: some times a workbook of every link and policy of a large MSP.
LARGEST_UPLOAD = 4 * 1024 * 1024
#: A page takes a few requests, and people of one office have one address.
GATE = Gate(per_minute=1200)
_NOT_THIS_MACHINE = {
    "error": "a made-up person is signed in, and this is not an address of the machine itself",
    "remedy": "Open the console on the machine where it runs, as localhost or 127.0.0.1.",
}


@blueprint.route(
    "console/{*path}", trigger_arg_name="request", methods=["GET", "POST"], auth_level=func.AuthLevel.ANONYMOUS
)
async def console(request: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Everything below /console. Who may do what is decided there, by the platform's sign-in."""
    seconds = GATE.wait(request)
    if seconds:
        return too_many(seconds)
    largest = LARGEST_UPLOAD if _holds_a_file(request) else LARGEST
    if len(request.get_body()) > largest:
        return answer({"error": f"the body has more than {largest:,} bytes", "remedy": "Send less at once."}, 413)
    try:
        middleware = _middleware()
        if access().stand_in is not None and not _names_this_machine(request):
            return answer(_NOT_THIS_MACHINE, 403)
    except TrueUpError as error:
        return failed(error) if urlsplit(request.url).path.startswith("/console/api/") else _page(error)
    response: func.HttpResponse = await middleware.handle_async(request, context)
    return response


def _page(error: TrueUpError) -> func.HttpResponse:
    """For people, while the settings are not sound."""
    from shared.web.pages.errors import settings_page

    body, headers = settings_page(error)
    return func.HttpResponse(body, status_code=503, mimetype="text/html", headers=headers)


def _names_this_machine(request: func.HttpRequest) -> bool:
    """Listening on loopback alone does not keep other sites out: their name can be made to lead to this machine."""
    try:
        return is_loopback(urlsplit(f"//{request.headers.get('host', '')}").hostname or "")
    except ValueError:
        return False


def _holds_a_file(request: func.HttpRequest) -> bool:
    """A form with a file, or JSON with one in base64."""
    form: bool = request.headers.get("content-type", "").lower().startswith("multipart/form-data")
    return form or urlsplit(request.url).path == "/console/api/mapping/import"


@cache
def _middleware() -> func.AsgiMiddleware:
    """Raises `Misconfigured`, each time it is asked, while the settings are not sound."""
    from shared.web.app import make_app

    return func.AsgiMiddleware(make_app(ports(), access()))
