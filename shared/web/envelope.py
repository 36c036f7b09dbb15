"""What stands around every answer: the headers that browsers obey, and an answer even where our own code is wrong."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

log = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

#: Nothing comes from elsewhere, nothing goes elsewhere, nobody frames us, and no script stands in a page.
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "strict-transport-security": "max-age=31536000",
}
#: What people see is theirs alone: nothing in between keeps it, unless an answer says otherwise.
_UNLESS_SAID = {"cache-control": "no-store"}


class Envelope:
    """ASGI middleware around the whole app. `broken` answers where our code raised what nobody expected."""

    def __init__(self, app: App, broken: App) -> None:
        self._app = app
        self._broken = broken

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        begun = False

        async def sealed(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                _seal(message)
            await send(message)

        try:
            await self._app(scope, receive, sealed)
        except Exception:
            log.exception("%s %s", scope.get("method"), scope.get("path"))
            if begun:
                raise
            await self._broken(scope, receive, sealed)


def _seal(start: Message) -> None:
    said = {name.lower() for name, _ in start["headers"]}
    missing = {name: value for name, value in _UNLESS_SAID.items() if name.encode() not in said}
    start["headers"] = [
        *((name, value) for name, value in start["headers"] if name.lower().decode("latin-1") not in HEADERS),
        *((name.encode(), value.encode()) for name, value in (HEADERS | missing).items()),
    ]
