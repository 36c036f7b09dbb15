"""Several changes at Pax8 in one month, noticed in one night, billed each from its own day to the cent."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from tests.integration.house import NIGHT, TWO, House, Json

DAYS = 30  # of November


def test_increases_that_one_night_notices_are_each_billed_from_pax8s_own_day(house: House) -> None:
    house.import_rules("auto", proration={"rule": "computed", "start_day": "excluded"})
    house.host()
    house.start_night()
    house.ended(NIGHT)
    company, line = an_ordinary_line(house)
    standing = int(line["quantity"])

    house.clock(TWO + timedelta(days=3))
    buys(house, company, standing + 2, "2026-11-22")
    buys(house, company, standing + 5, "2026-11-24")
    night(house, TWO + timedelta(days=4))

    price = Decimal(str(line["unitPrice"]))
    assert one_offs(house, line) == sorted([(2, share(price, 22)), (3, share(price, 24))])
    assert quantity_from_december(house, line) == standing + 5

    before = house.additions()
    night(house, TWO + timedelta(days=5))
    assert house.additions() == before


def an_ordinary_line(house: House) -> tuple[str, Json]:
    """A Pax8 customer with one subscription of Larkmail, and our line for it on an agreement billed up to November."""
    for buyer in house.sandbox.msp.pax8.companies.values():
        for line in our_lines(house):
            agreement = house.sandbox.msp.records.get("agreements", line["agreementId"])
            assert agreement is not None
            if str(agreement["company"]["id"]) != buyer.external_id or line.get("cancelledDate"):
                continue
            plain = agreement["billingCycle"]["name"] == "Monthly" and agreement["periodType"] == "Current"
            if plain and agreement["nextInvoiceDate"].startswith("2026-12-01"):
                return buyer.id, line
    raise AssertionError("the made-up MSP has no ordinary customer of Pax8")


def our_lines(house: House) -> list[Json]:
    lines = [line for line in house.additions() if line["product"]["identifier"] == "LARKMAIL"]
    return [line for line in lines if line.get("serialNumber", "").startswith("TU1-")]


def buys(house: House, company: str, quantity: int, day: str) -> None:
    house.control("PUT", "pax8", {"company": company, "product": "Larkmail Security", "quantity": quantity, "day": day})


def night(house: House, moment: datetime) -> None:
    house.clock(moment)
    house.fire("tick")
    house.ended(f"{moment:%Y-%m-%d}-nightly")


def share(price: Decimal, day: int) -> Decimal:
    """What a seat that comes on this day of November owes, the day itself not counted."""
    return (price * (DAYS - day) / DAYS).quantize(Decimal("0.01"), ROUND_HALF_UP)


def one_offs(house: House, line: Json) -> list[tuple[int, Decimal]]:
    """Quantity and unit price of our dated lines beside the standing one."""
    dated = [
        each for each in our_lines(house) if each["agreementId"] == line["agreementId"] and each.get("cancelledDate")
    ]
    return sorted((int(each["quantity"]), Decimal(str(each["unitPrice"]))) for each in dated)


def quantity_from_december(house: House, line: Json) -> int:
    lines = [each for each in our_lines(house) if each["agreementId"] == line["agreementId"]]
    return sum(int(each["quantity"]) for each in lines if not each.get("cancelledDate"))
