"""Whole reads of Huntress: every page of the list, complete or an error."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping

from shared.billing.counts import VendorInvoice
from shared.http.wire import RequestsTransport, Transport
from shared.sources.http import Ask, VendorHttp
from shared.sources.huntress.pace import PacedWire
from shared.sources.huntress.parse import (
    ACCOUNT,
    INVOICES,
    ORGANIZATION,
    ORGANIZATIONS,
    SYSTEM,
    account_name,
    id_of,
    newest_invoice_of,
    organization_of,
    page_of,
)
from shared.sources.huntress.settings import HuntressSettings
from shared.sources.patience import Patience
from shared.sources.rows import Row, broken

#: Huntress's largest page.
PAGE_SIZE = 500
#: No MSP-size list is longer; a list that is has no end.
MOST_PAGES = 100
PERMISSION = (
    "Check HUNTRESS_PUBLIC_KEY and HUNTRESS_PRIVATE_KEY in the settings; an administrator of the Huntress account "
    "makes new ones under API Credentials."
)


class _KeyPair:
    """HTTP Basic; keys do not change by themselves."""

    def __init__(self, settings: HuntressSettings) -> None:
        pair = f"{settings.public_key}:{settings.private_key}".encode()
        self._headers = {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}

    def headers(self, _: Patience, /) -> Mapping[str, str]:
        return self._headers

    def renewed(self) -> bool:
        return False


class HuntressReader:
    """Reads with one pair of keys at the pace that Huntress allows; raises errors of `shared.errors` only."""

    def __init__(
        self,
        settings: HuntressSettings,
        transport: Transport | None,
        sleep: Callable[[float], None],
        clock: Callable[[], float],
    ) -> None:
        wire = PacedWire(transport or RequestsTransport(SYSTEM), clock, sleep)
        self._http = VendorHttp(
            SYSTEM, settings.url, _KeyPair(settings), permission=PERMISSION, transport=wire, sleep=sleep
        )

    def patience(self, seconds: float) -> Patience:
        return self._http.patience(seconds)

    def account(self, patience: Patience) -> str:
        """The name of the account, which any key may read."""
        return account_name(self._http.read(Ask(ACCOUNT, "/account"), patience))

    def organization(self, number: str, patience: Patience) -> Row:
        row = organization_of(self._http.read(Ask(ORGANIZATION, f"/organizations/{number}"), patience))
        if id_of(row) != number:
            raise row.broken("it is another organization than the one that was asked for")
        return row

    def newest_invoice(self, patience: Patience) -> VendorInvoice | None:
        """Among the newest that are listed: there is one a month, and few that do not count."""
        params = {"limit": "50", "sort_field": "id", "sort_direction": "desc"}
        return newest_invoice_of(self._http.read(Ask(INVOICES, "/invoices", params), patience))

    def organizations(self, patience: Patience) -> dict[str, Row]:
        """Every organization by its id; in the order of ids, so that a new one comes last."""
        found: dict[str, Row] = {}
        params = {"limit": str(PAGE_SIZE), "sort_field": "id", "sort_direction": "asc"}
        following: tuple[str, str] | None = None
        for _ in range(MOST_PAGES):
            ask = Ask(ORGANIZATIONS, "/organizations", params | dict([following] if following else []))
            rows, following = page_of(self._http.read(ask, patience))
            for row in rows:
                if id_of(row) in found:
                    raise row.broken("it lists one organization twice")
                found[id_of(row)] = row
            if following is None:
                return found
        raise broken(SYSTEM, ORGANIZATIONS, "its pages do not end")
