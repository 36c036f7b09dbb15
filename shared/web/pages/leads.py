"""Where a finding leads: the form in which a person does what it asks for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlencode

from shared.billing.findings import FindingKind
from shared.sync.shapes.desk import Company

#: What can be settled by a choice of the company's own for a licence, and by saying what is billed already.
_BY_LICENCE = {
    FindingKind.UNMAPPED.value,
    FindingKind.AMBIGUOUS_AGREEMENT.value,
    FindingKind.AGREEMENT_NOT_ACTIVE.value,
    FindingKind.PRICE.value,
    FindingKind.CURRENCY.value,
}
_BY_RULES = {FindingKind.PERIOD_MOVED.value}


class Lead(NamedTuple):
    path: str
    words: str


def leads(company: Company) -> dict[tuple[str, str], Lead]:
    """The forms to which the open findings of a company lead, by (kind, key)."""
    here = f"/console/companies/{company['id']}"
    forms = dict(_licences(company, here))
    found = {}
    for finding in company["findings"]:
        kind, key = finding["kind"], finding["key"]
        if kind in _BY_LICENCE and key in forms:
            found[kind, key] = Lead(forms[key], "How it is billed")
        elif kind in _BY_RULES:
            found[kind, key] = Lead(f"{here}/rules", "What is billed already")
    return found


def _licences(company: Company, here: str) -> Iterator[tuple[str, str]]:
    """The form of each licence by the keys that findings about it have: its bill items, and its own names."""
    for licence in company["licences"]:
        bare = {"source": licence["source"], "sku": licence["sku"]}
        names = (licence["source"], licence["customer"], licence["sku"])
        yield "/".join(name.strip().casefold() for name in names), f"{here}/licence?{urlencode(bare)}"
        for billed in licence["billed"]:
            link = billed["link"]
            part = {"customer": link["customer"], "part": link["part"]} if link is not None else {}
            asked = {**bare, **{name: value for name, value in part.items() if value}}
            yield billed["item"], f"{here}/licence?{urlencode(asked)}"
