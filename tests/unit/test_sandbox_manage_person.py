"""The sandbox's clock, its switches, and what a person does in Manage by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from local.sandbox.clock import Clock
from local.sandbox.manage.invoices import run_invoices
from local.sandbox.manage.person import act
from local.sandbox.manage.records import ManageRecords
from local.sandbox.switches import Switches
from shared.errors import Refused
from tests.unit.sandbox_manage import ACCOUNT, AGREEMENT, NOW, PRODUCT, add_line, served, small_msp

ADDITIONS = f"finance/agreements/{AGREEMENT}/additions"


@pytest.fixture
def records() -> ManageRecords:
    return small_msp()


def do(records: ManageRecords, **body: object) -> dict:
    return act(records, Clock(NOW), body)


def test_a_person_edits_a_line(records):
    line = add_line(records)
    answer = do(records, do="edit", addition=line["id"], fields={"quantity": 7, "serialNumber": ""})
    assert (answer["addition"]["quantity"], answer["addition"]["extPrice"]) == (7.0, 70.0)
    assert records.get("additions", line["id"])["_info"]["updatedBy"] == "a person"


def test_a_person_ends_a_line(records):
    line = add_line(records)
    do(records, do="end", addition=line["id"], date="2026-11-30")
    assert records.get("additions", line["id"])["cancelledDate"] == "2026-11-30T00:00:00Z"


def test_a_person_deletes_a_line(records):
    line = add_line(records)
    assert do(records, do="delete", addition=line["id"]) == {"deleted": line["id"]}
    assert records.of_parent("additions", AGREEMENT) == []


def test_a_person_copies_an_agreement_with_its_lines_and_their_serial_numbers(records):
    line = add_line(records, serialNumber="TU1-S-261201-abc")
    answer = do(records, do="copy-agreement", agreement=AGREEMENT)
    [copied] = answer["additions"]
    assert answer["agreement"]["id"] != AGREEMENT
    assert (copied["agreementId"], copied["serialNumber"]) == (answer["agreement"]["id"], "TU1-S-261201-abc")
    assert copied["id"] != line["id"]
    copied_records = records.of_parent("agreements", 250)
    assert [record["name"] for record in copied_records] == ["Cloud 501", "Cloud 501 (copy)"]
    assert records.of_parent("additions", AGREEMENT) == [line]


def test_a_person_edits_any_field_of_an_agreement(records):
    do(records, do="edit-agreement", agreement=AGREEMENT, fields={"nextInvoiceDate": "2027-03-01", "id": 9})
    agreement = records.get("agreements", AGREEMENT)
    assert (agreement["nextInvoiceDate"], agreement["id"]) == ("2027-03-01T00:00:00Z", AGREEMENT)


@pytest.mark.parametrize(
    "body",
    [
        {"do": "dance"},
        {},
        {"do": "edit", "addition": 777, "fields": {"quantity": 1}},
        {"do": "delete"},
        {"do": "copy-agreement", "agreement": 777},
        {"do": "edit-agreement", "agreement": AGREEMENT, "fields": {"nextInvoiceDate": "soon"}},
    ],
)
def test_a_deed_that_cannot_be_done_is_refused(records, body):
    with pytest.raises(Refused):
        act(records, Clock(NOW), body)


def test_the_clock_stands_still_until_it_is_set():
    clock = Clock(NOW)
    assert clock.now() == clock.now() == NOW
    clock.set(datetime(2026, 12, 2, 1, tzinfo=timezone(timedelta(hours=2))))
    assert (clock.now(), clock.today().isoformat()) == (datetime(2026, 12, 1, 23, tzinfo=UTC), "2026-12-01")
    with pytest.raises(ValueError, match="time zone"):
        clock.set(datetime(2026, 12, 2))


def test_switches_are_turned_by_name_and_travel_as_json():
    switches = Switches.from_json({"retroactive_change": True})
    switches.update({"cancelled_day_billed": False})
    assert (switches.retroactive_change, switches.cancelled_day_billed, switches.zero_lines_printed) == (
        True,
        False,
        False,
    )
    assert Switches.from_json(switches.to_json()) == switches


@pytest.mark.parametrize("body", [{"no_such": True}, {"retroactive_change": 1}])
def test_a_switch_that_is_not_understood_turns_none(body):
    switches = Switches()
    with pytest.raises(ValueError, match="switch"):
        switches.update({"zero_lines_printed": True, **body})
    assert switches == Switches()


def test_the_remaining_switches_change_the_rest_answers():
    with served() as manage:
        line = add_line(manage.records)
        path = f"{ADDITIONS}/{line['id']}"
        assert manage.call("GET", ADDITIONS, conditions=f"product/id = {PRODUCT}").status_code == 200
        assert "additionStatus" not in manage.get(path)
        manage.switches.update(
            {
                "unset_dates_empty": True,
                "addition_status_reported": True,
                "product_id_filter_refused": True,
                "derived_writes_refused": True,
                "invoiced_delete_refused": True,
                "effective_date_today": False,
            }
        )
        assert (manage.get(path)["cancelledDate"], manage.get(path)["additionStatus"]) == ("", "Active")
        assert manage.get(f"finance/agreements/{AGREEMENT}")["endDate"] == ""
        assert manage.call("GET", ADDITIONS, conditions=f"product/id = {PRODUCT}").status_code == 400
        assert manage.get(ADDITIONS, conditions='product/identifier = "M365-BP"') != []
        refused = manage.call("PATCH", path, [{"op": "replace", "path": "extPrice", "value": 1}])
        assert refused.json()["errors"][0]["message"] == "The extPrice field is read-only."
        new = manage.call("POST", ADDITIONS, {"product": {"id": PRODUCT}, "billCustomer": "Billable"}).json()
        assert (new["effectiveDate"], new["quantity"]) == ("2025-01-01T00:00:00Z", 1.0)
        run_invoices(manage.records, manage.clock, manage.switches, NOW.date().replace(month=12, day=1))
        assert manage.call("DELETE", path).status_code == 400
        manage.switches.invoiced_delete_refused = False
        assert manage.call("DELETE", path).status_code == 204


def test_the_account_builds_the_documented_authorization():
    assert ACCOUNT.authorization == "Basic YWNtZStQVUI6UFJJVg=="
