"""Partner Center: the terms of what a partner tenant sold. It is for partners whom Microsoft bills itself."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Mapping

from azure.core.credentials import TokenCredential

from shared.errors import Gone, NotPermitted, Refused, Retryable, TrueUpError
from shared.http.wire import RequestsTransport, Transport
from shared.sources.failures import problem
from shared.sources.http import Ask, VendorHttp
from shared.sources.microsoft365.settings import MicrosoftSettings
from shared.sources.microsoft365.terms import CUSTOMERS, SYSTEM, TERMS, Term, check_customers, terms_of
from shared.sources.microsoft365.tokens import Tokens
from shared.sources.patience import Patience

#: Of a company's minutes, counts need most; without terms they go on.
_SECONDS = 30.0
#: After it did not answer it is left alone for so long, so that a night does not wait for it company by company.
_REST = 300.0
PERMISSION = (
    "In Partner Center, add the app registration under Account settings, App management; check "
    "MICROSOFT_PARTNER_CENTER_SCOPE. Only partners whom Microsoft bills itself have this interface."
)


class _Signed:
    """The app as a partner tenant knows it."""

    def __init__(self, tokens: Tokens, partner: str, scope: str) -> None:
        self._tokens = tokens
        self._partner = partner
        self._scope = scope

    def headers(self, _: Patience, /) -> Mapping[str, str]:
        token = self._tokens.token(self._partner, self._scope).token
        return {
            "Authorization": f"Bearer {token}",
            "MS-RequestId": str(uuid.uuid4()),
            "MS-CorrelationId": str(uuid.uuid4()),
            "MS-Contract-Version": "v1",
        }

    def renewed(self) -> bool:
        return False


class PartnerCenter:
    """Asks for every partner tenant; safe to use from several threads. Raises errors of `shared.errors` only."""

    def __init__(
        self,
        settings: MicrosoftSettings,
        url: str,
        credential: TokenCredential | None,
        *,
        transport: Transport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`url` is the address below which its calls are."""
        tokens, scope = Tokens(settings, credential), settings.partner_center_scope
        wire = transport or RequestsTransport(SYSTEM, settings.ca_file)
        self._partners = {
            partner.casefold(): VendorHttp(
                SYSTEM,
                url,
                _Signed(tokens, partner.casefold(), scope),
                permission=PERMISSION,
                transport=wire,
                sleep=sleep,
            )
            for partner in settings.partner_tenants
        }
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, str] = {}
        self._rest: tuple[float, Retryable] | None = None

    def problems(self) -> list[str]:
        """Asks for one customer of every partner tenant; what is wrong, and what to do."""
        found = []
        for http in self._partners.values():
            try:
                body = http.read(Ask(CUSTOMERS, "/customers", {"size": "1"}), http.patience(_SECONDS))
                check_customers(body)
            except TrueUpError as error:
                found.append(problem(error))
        if not found:
            with self._lock:
                self._rest = None
        return found

    def terms(self, tenant: str) -> Mapping[str, Term]:
        """The terms of a customer by the commerce ids of its subscriptions; none of one that no partner sold anything.

        The customer of several partner tenants is asked for with each until one knows it.
        """
        errors: list[TrueUpError] = []
        for partner in self._likely(tenant):
            try:
                found = self._asked(partner, tenant)
            except (Gone, NotPermitted, Refused) as error:
                errors.append(error)
            else:
                with self._lock:
                    self._known[tenant] = partner
                return found
        unclear = next((error for error in errors if not isinstance(error, Gone)), None)
        if unclear is not None:
            raise unclear
        return {}

    def _asked(self, partner: str, tenant: str) -> Mapping[str, Term]:
        with self._lock:
            if self._rest is not None and self._clock() < self._rest[0]:
                raise self._rest[1]
        http = self._partners[partner]
        try:
            body = http.read(Ask(TERMS, f"/customers/{tenant}/subscriptions"), http.patience(_SECONDS))
        except Retryable as error:
            with self._lock:
                self._rest = (self._clock() + _REST, error)
            raise
        return terms_of(body)

    def _likely(self, tenant: str) -> list[str]:
        """The partner tenants, that which knew the customer before first."""
        with self._lock:
            known = self._known.get(tenant)
        return sorted(self._partners, key=lambda partner: partner != known)
