"""Manage's forecasts of next invoices against the additions of a whole made-up MSP."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from tests.integration.house import NIGHT, TWO, House, a_house

KIND = "forecast-mismatch"


def told(house: House) -> dict[int, list[str]]:
    """The texts of these findings by company."""
    found = {company: house.ports.company_state.load(company).findings for company in house.companies}
    texts = {
        company: [standing.finding.text for (kind, _), standing in findings.items() if kind == KIND]
        for company, findings in found.items()
    }
    return {company: text for company, text in texts.items() if text}


def asked(house: House) -> int:
    calls = house.control("GET", "calls")["calls"]
    return sum(call["count"] for call in calls if "agreementrecap" in call["route"])


def test_forecasts_agree_until_manage_bills_otherwise_than_we_take_it_and_take_one_call_a_night(tmp_path: Path) -> None:
    with a_house(tmp_path, companies=6) as house:
        house.import_rules("observe", guards={"compare_forecast": "all"})
        house.host()
        house.forget_calls()
        house.start_night()
        house.ended(NIGHT)
        assert (told(house), asked(house)) == ({}, 1)
        compared = house.ports.manage.recaps("by hand")
        assert sum(recap.next_invoice_amount or 0 for recap in compared.values()) > 0

        # This Manage does not bill a line on its cancelled date, which our settings say it does.
        house.control("PUT", "switches", {"cancelled_day_billed": False})
        readable = set(house.readable())
        agreements = {row["id"]: row["company"]["id"] for row in house.sandbox.msp.records.all("agreements")}
        line = next(
            line
            for line in house.additions()
            if line["quantity"] and line["billCustomer"] == "Billable" and agreements[line["agreementId"]] in readable
        )
        house.control("POST", "person", {"do": "end", "addition": line["id"], "date": "2026-12-01"})
        house.forget_calls()
        house.clock(TWO + timedelta(days=1))
        house.fire("tick")
        house.ended("2026-11-22-nightly")
        assert (list(told(house)), asked(house)) == ([agreements[line["agreementId"]]], 1)
        assert house.writes() == 0
