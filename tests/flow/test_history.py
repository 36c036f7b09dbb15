"""Everything that was ever done to a company: in pages, and as a table for a spreadsheet."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import azure.functions as func
import pytest

from functions import records
from shared.billing.lines import LineValues
from shared.billing.planning.plan import Change, ChangeKind
from shared.errors import Gone, Refused
from shared.state.company_state import AddHistory
from shared.state.records import HistoryEntry, Signature
from shared.sync import history
from tests import builders as b
from tests.fakes.house import START, House

LINE = b.our_addition(9001, 5, cancelled_date=b.NEXT_PERIOD)
BEFORE = LineValues.of(LINE)
CHANGE = Change(
    ChangeKind.UPDATE,
    b.key(),
    LINE.id,
    "M365-BP",
    BEFORE,
    replace(BEFORE, quantity=Decimal(3), cancelled_date=None),
    "count",
    "Business Premium: 5 → 3.",
    Decimal("-50.00"),
    Decimal("0"),
)


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> House:
    house = House()
    house.rules(b.rules())
    house.company(1, [b.count(5)])
    monkeypatch.setattr(records, "ports", lambda: house.ports)
    return house


def remember(house: House, *entries: HistoryEntry) -> None:
    house.ports.company_state.commit(1, [AddHistory(entry) for entry in entries])


def entry(number: int = 0, change: Change = CHANGE, **values: object) -> HistoryEntry:
    known = {"request_id": "req-7", "note": "", **values}
    at = START + timedelta(seconds=number)
    return HistoryEntry(f"h{number:06d}", at, "2026-11-21-nightly", "night", 9001, change, **known)  # type: ignore[arg-type]


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


def asked(name: str, company: str = "1", **params: str) -> func.HttpResponse:
    app = func.FunctionApp()
    app.register_functions(records.blueprint)
    handlers = {item.get_function_name(): item.get_user_function() for item in app.get_functions()}
    return handlers[name](
        func.HttpRequest("GET", f"/api/{name}", route_params={"id": company}, params=params, body=b"")
    )


def test_the_table_tells_what_a_sync_did_when_and_why(house: House) -> None:
    house.sync(1)
    (row,) = table(history.table(house.ports, 1, None).text)
    assert row["when"].startswith("2026-11-21T02:00:00")
    assert (row["run"], row["actor"], row["agreement"], row["product"]) == ("run", "night", "1001", "M365-BP")
    assert (row["kind"], row["quantity before"], row["quantity after"]) == ("create", "", "5")
    assert (row["price after"], row["effective after"], row["monthly"]) == ("25.00", "2026-12-01", "125.00")
    assert row["sentence"]
    assert row["request id"].startswith("request-")


def test_the_table_has_both_sides_of_every_change(house: House) -> None:
    after = replace(
        BEFORE,
        quantity=Decimal(3),
        cancelled_date=None,
        unit_cost=Decimal("21.50"),
        bill_customer="DoNotBill",
        taxable_flag=True,
    )
    remember(house, entry(change=replace(CHANGE, after=after), note="found done by a later look"))
    (row,) = table(history.table(house.ports, 1, None).text)
    assert (row["quantity before"], row["quantity after"]) == ("5", "3")
    assert (row["cancelled before"], row["cancelled after"]) == ("2026-12-01", "")
    assert (row["addition"], row["monthly"], row["one-off"]) == ("9001", "-50.00", "0")
    assert (row["bill item"], row["serial number after"]) == (b.key().bill_item, LINE.serial_number)
    assert (row["cost before"], row["cost after"]) == ("20.00", "21.50")
    assert (row["bill option before"], row["bill option after"]) == ("Billable", "DoNotBill")
    assert (row["taxable before"], row["taxable after"]) == ("no", "yes")
    assert (row["sentence"], row["note"]) == ("Business Premium: 5 → 3.", "found done by a later look")


def test_what_a_person_decided_stands_in_the_table_with_who_it_was(house: House) -> None:
    signed = Signature("Ada Desk", START, "127.0.0.1")
    remember(house, replace(entry(note="rejected: too early"), change=None, addition=None, signed=signed))
    (row,) = table(history.table(house.ports, 1, None).text)
    assert (row["signed by"], row["note"]) == ("Ada Desk", "rejected: too early")
    assert (row["signed at"], row["signed from"]) == (START.isoformat(), "127.0.0.1")
    assert (row["agreement"], row["quantity after"], row["sentence"]) == ("", "", "")


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_text_in_the_table_is_a_formula(house: House, first: str) -> None:
    evil = f'{first}HYPERLINK("http://evil.example","x")'
    remember(house, entry(change=replace(CHANGE, product=evil, sentence=evil), note=evil))
    (row,) = table(history.table(house.ports, 1, None).text)
    assert [row["product"], row["sentence"], row["note"]] == [f"'{evil}"] * 3


def test_a_long_history_is_whole_in_the_table_newest_first(house: House) -> None:
    remember(house, *(entry(number) for number in range(2345)))
    rows = table(history.table(house.ports, 1, None).text)
    times = [row["when"] for row in rows]
    assert len(set(times)) == 2345
    assert times == sorted(times, reverse=True)


def test_a_table_that_cannot_hold_all_says_in_its_last_line_how_it_goes_on(house: House) -> None:
    remember(house, *(entry(number) for number in range(10)))
    seen: list[str] = []
    place: str | None = None
    while True:
        part = history.table(house.ports, 1, place, most=4)
        rows = table(part.text)
        if part.following is None:
            seen += [row["when"] for row in rows]
            break
        *rows, last = rows
        assert last["when"] == f"The history goes on: ask for it again with before={part.following}"
        seen += [row["when"] for row in rows]
        place = part.following
    assert len(seen) == len(set(seen)) == 10


def test_pages_of_json_neither_overlap_nor_lose_entries(house: House) -> None:
    remember(house, *(entry(number) for number in range(250)))
    seen: list[str] = []
    place: str | None = None
    while True:
        page = history.page(house.ports, 1, 100, place)
        seen += [told["id"] for told in page["entries"]]
        place = page["next"]
        if place is None:
            break
    assert seen == [f"h{number:06d}" for number in reversed(range(250))]
    (told,) = history.page(house.ports, 1, 9, "2026-11-21T02:00:01Z~h000001")["entries"]
    change = told["change"]
    assert (change["kind"], change["before"]["quantity"], change["after"]["quantity"]) == ("update", 5.0, 3.0)
    assert (told["addition"], told["request_id"]) == (9001, "req-7")


def test_the_history_of_nobody_is_not_found_and_a_place_that_is_none_refused(house: House) -> None:
    with pytest.raises(Gone):
        history.page(house.ports, 99, 9, None)
    with pytest.raises(Gone):
        history.table(house.ports, 99, None)
    for place in ("yesterday", "2026-11-21T02:00:00~h1", "2026-11-21T02:00:00Z~", "~"):
        with pytest.raises(Refused, match="no place in the history"):
            history.page(house.ports, 1, 9, place)
        with pytest.raises(Refused, match="no place in the history"):
            history.table(house.ports, 1, place)


def test_the_routes_answer_with_the_table_as_a_file_and_with_pages(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(house, *(entry(number) for number in range(3)))
    whole = asked("company_history_table")
    assert whole.status_code == 200
    assert whole.headers["Content-Disposition"] == 'attachment; filename="company-1-history.csv"'
    assert "Link" not in whole.headers
    assert whole.get_body().startswith("\ufeffwhen,run,actor,".encode())
    assert asked("company_history").status_code == 200
    assert asked("company_history", "2").status_code == 404
    assert asked("company_history_table", "x").status_code == 404
    assert asked("company_history_table", before="nonsense").status_code == 400

    monkeypatch.setattr(history, "TABLE_ENTRIES", 2)
    part = asked("company_history_table")
    assert part.headers["Link"] == '<?before=2026-11-21T02%3A00%3A01Z~h000001>; rel="next"'
