"""Whole reads of Cove: the tree of customers, and every page of the devices below a partner."""

from __future__ import annotations

from shared.sources.cove.columns import COLUMNS
from shared.sources.cove.parse import DEVICES, PARTNERS, SYSTEM, Device, Partner, devices_of, partners_of
from shared.sources.cove.session import CoveSession
from shared.sources.patience import Patience
from shared.sources.rows import broken

PAGE_SIZE = 1000
#: No MSP has more devices; a list that is longer has no end.
MOST_PAGES = 1000
#: How often a list is begun that changed while it was read.
_TRIES = 3

#: What the vendor's own scripts ask of a partner; the meaning of single numbers is not published.
_PARTNER_FIELDS = list(range(23))


def partners(session: CoveSession, patience: Patience) -> dict[str, Partner]:
    """Everybody below our own partner, by id."""
    own = session.own_partner(patience)
    params = {"parentPartnerId": int(own), "fields": _PARTNER_FIELDS, "fetchRecursively": True}
    return partners_of(session.call(PARTNERS, "EnumeratePartners", params, patience).values)


def devices(session: CoveSession, partner: str, patience: Patience) -> list[Device]:
    """The devices of a partner and of everybody below it. A list that changed while it was read is begun again."""
    for _ in range(_TRIES):
        found = _pages(session, partner, patience)
        if found is not None:
            return found
    raise broken(SYSTEM, DEVICES, "it changed each time while it was read")


def _pages(session: CoveSession, partner: str, patience: Patience) -> list[Device] | None:
    """Every page until an empty one: Cove may give fewer rows than it was asked for although there are more.

    Pages are no snapshot, so each begins with the last device of the one before. Where it does not, a device has gone
    meanwhile, and another would have slipped through between two pages: None.
    """
    found: dict[str, Device] = {}
    last: Device | None = None
    for _ in range(MOST_PAGES):
        page = devices_page(session, partner, max(len(found) - 1, 0), PAGE_SIZE, patience)
        if last is not None:
            if not page or page[0].id != last.id:
                return None
            page = page[1:] or devices_page(session, partner, len(found), PAGE_SIZE, patience)
        for device in page:
            if device.id in found:
                raise broken(SYSTEM, DEVICES, "it lists one device twice")
            found[device.id] = last = device
        if not page:
            return list(found.values())
    raise broken(SYSTEM, DEVICES, "its pages do not end")


def devices_page(session: CoveSession, partner: str, start: int, size: int, patience: Patience) -> list[Device]:
    query = {
        "PartnerId": int(partner),
        "Columns": COLUMNS,
        "OrderBy": "AU ASC",
        "StartRecordNumber": start,
        "RecordsCount": size,
        "SelectionMode": "Merged",
    }
    return devices_of(session.call(DEVICES, "EnumerateAccountStatistics", {"query": query}, patience).values)
