"""What must hold between the parts of a rules document: ids are unique, references lead somewhere.

The checks work on the document as written, so that they find their problems beside those of single fields; what has
the wrong shape is left to the check of the field itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from shared.billing.lines import canonical
from shared.billing.profiles import CountedOn
from shared.rules.document import INVOICING
from shared.rules.tree import Outline, Path, Tree

_SHOWN = 5
_BY_INVOICE = CountedOn.VENDOR_INVOICE.value

Fields = dict[str, Any]
#: The profile that policies give a SKU at a source, None where it is not billed; absent where no policy speaks.
Defaults = Mapping[tuple[str, str], str | None]
#: A mapping in the document and where it stands.
Entry = tuple[Path, Fields]


def check_between(found: Outline) -> None:
    """Adds a problem for everything that does not fit together."""
    profiles, policies = _entries(found.tree, (), "profiles"), _entries(found.tree, (), "policies")
    companies = _entries(found.tree, (), "companies")
    _check_unique(found, profiles, "id")
    _check_unique(found, _entries(found.tree, (), "schedules"), "id")
    _check_unique(found, _entries(found.tree, (), "notices"), "id")
    _check_unique(found, _entries(found.tree, (), "people"), "name")
    _check_unique(found, policies, "source", "sku")
    _check_unique(found, companies, "company")
    defaults = _profile_by_sku(policies)
    names = [name for _, profile in profiles if (name := _text(profile, "id"))]
    by_invoice = {_text(profile, "id") for _, profile in profiles if _text(profile, "counted_on") == _BY_INVOICE}
    _check_profiles(found, policies, names)
    _check_invoicing(found, policies, by_invoice)
    for path, company in companies:
        links, licences = _entries(company, path, "links"), _entries(company, path, "licences")
        _check_unique(found, links, "source", "customer")
        _check_unique(found, licences, "source", "sku", optional=("customer", "part"))
        _check_profiles(found, licences, names)
        _check_invoicing(found, licences, by_invoice)
        _check_licences(found, licences, links, defaults)


def _entries(holder: Tree, path: Path, name: str) -> list[Entry]:
    items = holder.get(name) if isinstance(holder, dict) else None
    if not isinstance(items, list):
        return []
    return [((*path, name, position), item) for position, item in enumerate(items) if isinstance(item, dict)]


def _text(fields: Fields, name: str) -> str | None:
    value = fields.get(name)
    return value.strip() if isinstance(value, str) else None


def _id(fields: Fields, name: str) -> str | None:
    text = _text(fields, name)
    return None if text is None else canonical(text)


def _check_unique(found: Outline, entries: Sequence[Entry], *names: str, optional: Sequence[str] = ()) -> None:
    first: dict[tuple[str | None, ...], Path] = {}
    for path, fields in entries:
        key = tuple(_id(fields, name) for name in names)
        if None in key:
            continue
        key += tuple(_id(fields, name) for name in optional)
        if key in first:
            sentence = f"has the same {' and '.join(names)} as {found.place(first[key])}; keep one of them"
            found.add(path, sentence)
        first.setdefault(key, path)


def _check_profiles(found: Outline, entries: Sequence[Entry], names: Sequence[str]) -> None:
    for path, fields in entries:
        name = _text(fields, "profile")
        if name is not None and name not in names:
            found.add((*path, "profile"), f'there is no profile "{name}"; there are {listed(names) or "none"}')


def _check_invoicing(found: Outline, entries: Sequence[Entry], by_invoice: Collection[str | None]) -> None:
    for path, fields in entries:
        source, name = _text(fields, "source"), _text(fields, "profile")
        if name is not None and name in by_invoice and source not in INVOICING:
            found.add(
                (*path, "profile"), f'"{name}" bills on the vendor\'s invoice, which only {", ".join(INVOICING)} tells'
            )


def _check_licences(found: Outline, licences: Sequence[Entry], links: Sequence[Entry], defaults: Defaults) -> None:
    linked = {(_id(link, "source"), _id(link, "customer")) for _, link in links}
    sources = {source for source, _ in linked}
    for path, licence in licences:
        source, sku, customer = (_id(licence, name) for name in ("source", "sku", "customer"))
        if source is not None and source not in sources:
            found.add((*path, "source"), f"the company has no link to a customer at {source}; add one under links")
        elif customer is not None and (source, customer) not in linked:
            found.add((*path, "customer"), "is not among the company's links")
        if (
            source
            and sku
            and not _is_unbilled(licence)
            and not (_text(licence, "profile") or defaults.get((source, sku)))
        ):
            found.add(path, "has no profile, and no policy gives this SKU one; name a profile")


def _profile_by_sku(policies: Sequence[Entry]) -> Defaults:
    profiles: dict[tuple[str, str], str | None] = {}
    for _, policy in policies:
        source, sku = _id(policy, "source"), _id(policy, "sku")
        if source and sku:
            profiles[source, sku] = _text(policy, "profile")
    return profiles


def _is_unbilled(licence: Fields) -> bool:
    """For ever: `do_not_bill_until` means that it will be billed one day."""
    return licence.get("do_not_bill") in ("true", True)


def listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
