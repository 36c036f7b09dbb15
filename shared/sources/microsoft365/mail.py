"""Mail from a mailbox of the MSP's own tenant: `POST /users/{mailbox}/sendMail`, which needs the role `Mail.Send`."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from urllib.parse import quote

from shared.sources.microsoft365.settings import MicrosoftSettings

if TYPE_CHECKING:
    import httpx
    from azure.core.credentials import TokenCredential

    from shared.sources.microsoft365.graph import GraphClient
    from shared.sources.microsoft365.tokens import Tokens

ROLES = "Mail.Send"
_SECONDS = 60.0


class Microsoft365Mailbox:
    """One mailbox; safe to use from several threads. `credential` and `http` replace what leaves the process."""

    def __init__(
        self,
        settings: MicrosoftSettings,
        address: str,
        *,
        credential: TokenCredential | None = None,
        http: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._settings = settings
        self._address = address
        self._credential = credential
        self._http = http
        self._lock = threading.Lock()
        self._made: tuple[Tokens, GraphClient] | None = None

    @property
    def address(self) -> str:
        return self._address

    def send(self, mail: bytes) -> None:
        """Sends one mail (RFC 5322), once.

        Raises `NotPermitted` where the role is missing, `Retryable` where Graph is busy or gave no answer (it may then
        have been sent), `Refused` for a mailbox that is none.
        """
        from shared.sources.microsoft365.failures import graph_error

        tokens, graph = self._connected()
        tenant = self._settings.home_tenant
        path = f"/users/{quote(self._address)}/sendMail"
        answer = graph.post_mail(path, tokens.token(tenant), mail=mail, seconds=_SECONDS)
        if not 200 <= answer.status < 300:
            raise graph_error(
                answer.status,
                _code(answer.body),
                "the mail",
                roles=ROLES,
                consent=tokens.consent_url(tenant),
                request_id=answer.headers.get("request-id"),
                retry_after=None,
            )

    def check(self) -> None:
        """Asks for a token of the mailbox's tenant. Whether the app may send shows only when it does."""
        self._connected()[0].token(self._settings.home_tenant)

    def _connected(self) -> tuple[Tokens, GraphClient]:
        """Made at the first mail: it brings in the vendor's libraries and the credential."""
        with self._lock:
            if self._made is None:
                from shared.sources.microsoft365.graph import GraphClient
                from shared.sources.microsoft365.tokens import Tokens

                self._made = Tokens(self._settings, self._credential), GraphClient(self._settings, self._http)
            return self._made


def _code(body: object) -> str:
    error = body.get("error") if isinstance(body, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, str) else ""
