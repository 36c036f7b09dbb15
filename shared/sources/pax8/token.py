"""The access token: asked for once, kept until shortly before it expires, shared by all threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from shared.http.wire import Transport
from shared.sources.http import Anonymous, Ask, VendorHttp
from shared.sources.patience import Patience
from shared.sources.pax8.settings import Pax8Settings
from shared.sources.rows import row_of

SYSTEM = "Pax8"
PERMISSION = (
    "Check client id and client secret in the settings; a partner admin makes new ones in the Pax8 app under "
    "Integrations Hub > Credentials."
)

#: So many seconds before its end a token is not used any more.
_MARGIN = 300.0


class Pax8Token:
    """Credentials (`shared.sources.http`) by the client-credentials grant. `clock` is in seconds, monotonic."""

    def __init__(
        self,
        settings: Pax8Settings,
        *,
        transport: Transport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._body = {
            "client_id": settings.client_id,
            "client_secret": settings.client_secret,
            "audience": settings.audience,
            "grant_type": "client_credentials",
        }
        self._http = VendorHttp(
            SYSTEM, settings.token_url, Anonymous(), permission=PERMISSION, transport=transport, sleep=sleep
        )
        self._clock = clock
        self._lock = threading.Lock()
        self._token: str | None = None
        self._ends = 0.0

    def headers(self, patience: Patience) -> Mapping[str, str]:
        with self._lock:
            if self._token is None or self._clock() >= self._ends:
                self._fetch(patience)
            return {"Authorization": f"Bearer {self._token}"}

    def renewed(self) -> bool:
        """A token may be withdrawn before its time: the next call asks for another."""
        with self._lock:
            self._token = None
        return True

    def _fetch(self, patience: Patience) -> None:
        what = "the request for a token"
        row = row_of(self._http.read_once(Ask(what, "", method="POST", body=self._body), patience), what, SYSTEM)
        lives = float(row.number("expires_in"))
        self._token = row.text("access_token")
        self._ends = self._clock() + max(lives - _MARGIN, lives / 2)
