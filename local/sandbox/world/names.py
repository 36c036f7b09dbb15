"""Made-up names of companies and people. None of them is a real customer."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from random import Random


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_FAMILIES = _words("""
    Alder Ashgrove Barrow Birchall Bramley Calder Carrick Corwen Dunmore Elmsworth Fairholt Fenwick
    Garrow Glenhurst Harcastle Hazelby Ironwell Juniper Kestrelton Larkhill Linden Marlowe Mossvale
    Northgate Oakmere Pennant Quillby Redmarsh Rowanfield Saltmere Silverby Thornbury Tidewell Umberley
    Vexford Walden Wexcombe Yarrowby Zellwood
""")
_PARTNERS = _words("""
    Finch Blythe Crane Dace Egret Heron Jay Kite Linnet Merle Petrel Quail Robin Swift Tern Wren
""")
_TRADES = _words("""
    Accountants Advisory Architects Bakeries Brewing Construction Dental Engineering Estates Foods
    Freight Instruments Insurance Joinery Legal Logistics Machining Optics Packaging Pharmacy Planning
    Print Property Surveyors Textiles Veterinary Wealth Windows
""")
_GIVEN = _words("""
    Ada Amir Beatriz Callum Chiara Dara Devi Edwin Elif Farid Freya Goran Hana Idris Imogen Jonas Keiko
    Lars Leila Malik Marta Nadia Niamh Omar Otto Petra Priya Quentin Rosa Samir Sigrid Tariq Tessa Ulla
    Viktor Wanda Xenia Yusuf Zoe
""")
_SURNAMES = _words("""
    Abernet Bellwick Castran Dovemont Eastley Falconby Greyling Hartmoor Ilverson Jarrowby Kingsley
    Lowther Marchetti Nordahl Okoye Pemberton Quist Rastogi Sandoval Tembo Ullman Varga Whitlock Yilmaz
    Zieliński
""")


def company_names(rng: Random) -> Iterator[str]:
    """Distinct company names, for ever; the plain ones come first."""
    pairs = [f"{family} & {partner}" for family, partner in itertools.product(_FAMILIES, _PARTNERS)]
    trades = [f"{family} {trade}" for family, trade in itertools.product(_FAMILIES, _TRADES)]
    names = pairs + trades
    rng.shuffle(names)
    yield from names
    for number in itertools.count(2):
        yield from (f"{name} {number}" for name in names)


def person_name(rng: Random) -> str:
    return f"{rng.choice(_GIVEN)} {rng.choice(_SURNAMES)}"


def slug(name: str) -> str:
    """The name as it stands in a domain or an identifier: `Alder & Finch` gives `alderfinch`."""
    return re.sub(r"[^a-z0-9]", "", name.casefold())
