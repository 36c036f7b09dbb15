from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from shared.billing.agreements import Addition, Fields, Recap
from shared.catalog import NewProduct
from shared.errors import Gone, Incomplete, NoEffect, NotPermitted, OutcomeUnknown, Refused
from shared.http.wire import Answer, NoAnswer
from shared.manage.client import KEPT_SECONDS
from shared.manage.settings import CancelledDay
from tests.unit.fakes_manage import (
    CYCLES,
    NOT_CONNECTED,
    RESET,
    FakeManage,
    Request,
    Time,
    addition_row,
    agreement_row,
    answer,
    client_of,
    no,
    product_row,
)

ADDITIONS = "/finance/agreements/501/additions"
NEW: Fields = {
    "product_id": 88,
    "quantity": Decimal(3),
    "unit_price": Decimal("25.10"),
    "bill_customer": "Billable",
    "effective_date": date(2026, 4, 1),
    "serial_number": "TU1-S-260401-abc",
}


def manage(**lists: list[dict[str, object]]) -> FakeManage:
    return FakeManage(
        {
            "/finance/agreements": lists.get("agreements", []),
            "/finance/billingCycles": [dict(row) for row in CYCLES],
            "/procurement/catalog": lists.get("catalog", []),
            "/company/companies": lists.get("companies", []),
            ADDITIONS: lists.get("additions", []),
        }
    )


def test_a_companys_agreements_take_one_call_and_billing_cycles_one_for_all_companies() -> None:
    rows = {250: [agreement_row(501), agreement_row(502, agreementStatus="Cancelled")], 251: [agreement_row(601, 251)]}

    def server(request: Request) -> Answer:
        if request.path == "/finance/billingCycles":
            return answer(CYCLES)
        return answer(rows[int(request.query["conditions"].removeprefix("company/id = "))])

    client, transport = client_of(server)
    assert [(item.id, item.agreement_status, item.billing_cycle) for item in client.agreements(250)] == [
        (501, "Active", "Monthly"),
        (502, "Cancelled", "Monthly"),
    ]
    assert [item.id for item in client.agreements(251)] == [601]
    assert (transport.count("GET", "/finance/billingCycles"), len(transport.requests)) == (1, 3)


def test_billing_cycles_are_read_again_after_ten_minutes() -> None:
    time = Time()
    client, transport = client_of(manage(agreements=[agreement_row()]), time=time)
    client.agreements(250)
    time.now += KEPT_SECONDS - 1
    client.agreements(250)
    assert transport.count("GET", "/finance/billingCycles") == 1
    time.now += 1
    client.agreements(250)
    assert transport.count("GET", "/finance/billingCycles") == 2


def test_an_agreement_of_another_company_in_the_answer_is_incomplete() -> None:
    client, _ = client_of(manage(agreements=[agreement_row(501), agreement_row(601, company=251)]))
    with pytest.raises(Incomplete, match="agreement 601 in the answer is not of company 250") as error:
        client.agreements(250)
    assert error.value.request_id == "request-1"


def test_companies_are_all_or_those_asked_for() -> None:
    server = manage(companies=[{"id": 250, "identifier": "ALDERBY"}, {"id": 251, "deletedFlag": True}, {"id": 252}])
    client, transport = client_of(server)
    assert [(company.id, company.deleted_flag) for company in client.companies()] == [
        (250, False),
        (251, True),
        (252, False),
    ]
    assert "conditions" not in transport.requests[0].query
    assert [company.id for company in client.companies([252, 250, 252])] == [250, 252]
    assert transport.requests[-1].query["conditions"] == "id in (252,250)"


def test_no_companies_asked_for_is_no_call() -> None:
    client, transport = client_of(manage())
    assert (client.companies([]), transport.requests) == ([], [])


def test_many_ids_are_asked_in_addresses_below_1950_characters() -> None:
    def server(request: Request) -> Answer:
        listed = request.query["conditions"].removeprefix("id in (").removesuffix(")")
        return answer([{"id": int(number)} for number in listed.split(",")])

    client, transport = client_of(server)
    ids = list(range(100_000, 101_000))
    assert [company.id for company in client.companies(ids)] == ids
    lengths = [len(request.url) for request in transport.requests]
    assert max(lengths) < 1950
    assert min(lengths[:-1]) > 1900


def test_additions_are_those_of_the_agreement_asked_ended_ones_too() -> None:
    ended = addition_row(9002, cancelledDate="2026-01-31T00:00:00Z")
    client, transport = client_of(manage(additions=[addition_row(9001), ended]))
    assert [(item.id, item.agreement_id) for item in client.additions(501)] == [(9001, 501), (9002, 501)]
    assert len(transport.requests) == 1
    with pytest.raises(Gone):
        client.additions(777)


def test_stamped_additions_are_filtered_again_here() -> None:
    rows = [addition_row(1, serialNumber=" TU1-S-a "), addition_row(2, serialNumber="TU1-S-b"), addition_row(3)]
    client, transport = client_of(manage(additions=rows))
    assert [item.id for item in client.additions_stamped(501, "TU1-S-a")] == [1]
    assert transport.requests[0].query["conditions"] == 'serialNumber = "TU1-S-a"'


def test_one_addition_is_taken_out_of_the_list_of_its_agreement_or_is_gone() -> None:
    client, transport = client_of(manage(additions=[addition_row(9001), addition_row(9002)]))
    assert client.addition(501, 9002) == client.additions(501)[1]
    assert transport.requests[0].query["conditions"] == "id = 9002"
    with pytest.raises(Gone, match="9003"):
        client.addition(501, 9003)


def test_a_stamp_that_could_become_syntax_is_not_sent() -> None:
    client, transport = client_of(manage())
    with pytest.raises(Refused):
        client.additions_stamped(501, 'x" or serialNumber != "')
    assert transport.requests == []


def test_products_are_found_whatever_the_case_and_named_as_asked() -> None:
    client, transport = client_of(manage(catalog=[product_row(88, "M365-BP"), product_row(89, "M365-E3")]))
    found = client.products(["m365-bp", "M365-BP", " M365-E3", "missing"])
    assert {name: product.id for name, product in found.items()} == {"m365-bp": 88, "M365-BP": 88, " M365-E3": 89}
    assert len(transport.requests) == 1
    assert transport.requests[0].query["conditions"] == 'identifier in ("M365-BP","M365-E3","missing")'


def test_products_and_misses_are_remembered_for_ten_minutes() -> None:
    time = Time()
    client, transport = client_of(manage(catalog=[product_row()]), time=time)
    client.products(["M365-BP", "missing"])
    time.now += KEPT_SECONDS - 1
    assert set(client.products(["missing", "m365-bp"])) == {"m365-bp"}
    assert len(transport.requests) == 1
    time.now += 1
    client.products(["M365-BP"])
    assert len(transport.requests) == 2


def test_only_products_not_yet_known_are_asked_for() -> None:
    client, transport = client_of(manage(catalog=[product_row(88, "A"), product_row(89, "B")]))
    client.products(["A"])
    assert set(client.products(["A", "B"])) == {"A", "B"}
    assert [request.query["conditions"] for request in transport.requests] == [
        'identifier in ("A")',
        'identifier in ("B")',
    ]
    assert client.products([]) == {}
    assert len(transport.requests) == 2


def test_many_products_are_asked_in_chunks() -> None:
    names = [f"Produkt für {number:03d}" for number in range(150)]
    client, transport = client_of(
        lambda request: answer(
            [product_row(int(name[-3:]), name) for name in names if f'"{name}"' in request.query["conditions"]]
        )
    )
    assert {name: product.id for name, product in client.products(names).items()} == {
        name: number for number, name in enumerate(names)
    }
    assert len(transport.requests) > 1
    assert all(len(request.url) < 1950 for request in transport.requests)


def test_of_several_products_the_active_one_counts() -> None:
    inactive = [product_row(80, inactiveFlag=True), product_row(90, inactiveFlag=True)]
    client, _ = client_of(manage(catalog=[inactive[0], product_row(88), inactive[1]]))
    assert client.products(["M365-BP"])["M365-BP"].id == 88
    client, _ = client_of(manage(catalog=inactive))
    assert client.products(["M365-BP"])["M365-BP"].inactive_flag


def test_two_active_products_with_one_identifier_are_left_out_and_the_log_names_them(
    caplog: pytest.LogCaptureFixture,
) -> None:
    client, _ = client_of(manage(catalog=[product_row(88), product_row(89, "m365-bp"), product_row(90, "M365-E3")]))
    assert set(client.products(["M365-BP", "M365-E3"])) == {"M365-E3"}
    assert [record.getMessage() for record in caplog.records if "2 active products 'M365-BP'" in record.getMessage()]


def test_a_product_with_a_quote_in_its_name_is_refused_with_a_remedy() -> None:
    client, transport = client_of(manage())
    with pytest.raises(Refused, match="double quote") as error:
        client.products(['27" monitor'])
    assert "Rename" in error.value.remedy
    assert transport.requests == []


def test_a_new_addition_is_one_post_and_comes_back_as_manage_has_it() -> None:
    client, transport = client_of(manage())
    added = client.create_addition(501, NEW)
    assert (added.id, added.agreement_id, added.quantity, added.effective_date) == (9000, 501, 3, date(2026, 4, 1))
    assert [(request.method, request.path) for request in transport.requests] == [("POST", ADDITIONS)]
    assert client.last_request_id == "request-1"


@pytest.mark.parametrize("fault", [RESET, no(503), no(500), answer("<html>", 200), answer({}, 201)])
def test_a_post_in_doubt_is_sent_once_and_its_outcome_unknown(fault: Answer | NoAnswer) -> None:
    client, transport = client_of(manage(), fault)
    with pytest.raises(OutcomeUnknown) as error:
        client.create_addition(501, NEW)
    assert error.value.remedy
    assert transport.count("POST") == 1


@pytest.mark.parametrize("fault", [NOT_CONNECTED, no(429, Retry_After="2")])
def test_a_post_that_surely_did_not_happen_is_sent_again_and_makes_one_line(fault: Answer | NoAnswer) -> None:
    server = manage()
    client, transport = client_of(server, fault)
    client.create_addition(501, NEW)
    assert (transport.count("POST"), len(server.lists[ADDITIONS])) == (2, 1)


def test_a_post_to_an_agreement_that_is_gone_says_so() -> None:
    client, _ = client_of(manage())
    with pytest.raises(Gone):
        client.create_addition(777, NEW)


def test_a_change_is_one_patch_of_absolute_values_that_may_be_repeated() -> None:
    server = manage(additions=[addition_row(9001)])
    client, transport = client_of(server, RESET, no(502))
    fields: Fields = {"quantity": Decimal(14), "cancelled_date": date(2026, 4, 30)}
    changed = client.update_addition(501, 9001, fields)
    assert (changed.quantity, changed.cancelled_date) == (14, date(2026, 4, 30))
    assert transport.count("PATCH", f"{ADDITIONS}/9001") == 3
    again = client.update_addition(501, 9001, {"cancelled_date": None})
    assert again.cancelled_date is None
    assert server.lists[ADDITIONS][0]["quantity"] == 14


def test_where_the_cancelled_day_is_free_the_last_billed_day_is_what_is_asked_for_and_answered() -> None:
    server = manage(additions=[addition_row(7)])
    client, _ = client_of(server, cancelled_day=CancelledDay.FREE)
    last_billed = date(2026, 4, 30)
    assert client.update_addition(501, 7, {"cancelled_date": last_billed}).cancelled_date == last_billed
    assert client.create_addition(501, {**NEW, "cancelled_date": last_billed}).cancelled_date == last_billed
    assert [row["cancelledDate"] for row in server.lists[ADDITIONS]] == ["2026-05-01T00:00:00Z"] * 2
    assert [line.cancelled_date for line in client.additions(501)] == [last_billed] * 2


def test_a_success_without_effect_names_field_and_both_values() -> None:
    server = manage(additions=[addition_row(9001)])
    server.ignores = frozenset({"quantity", "invoiceDescription"})
    client, _ = client_of(server)
    with pytest.raises(NoEffect) as error:
        client.update_addition(501, 9001, {"quantity": Decimal(14), "invoice_description": "for Vera Holm"})
    assert "addition 9001 does not say what was asked: quantity (asked 14, got 12.0), invoice_description" in str(
        error.value
    )
    assert "Vera Holm" not in str(error.value)
    assert error.value.request_id == "request-1"
    assert isinstance(error.value.answered, Addition)
    assert (error.value.answered.id, error.value.answered.quantity) == (9001, Decimal(12))


def test_a_create_without_full_effect_names_the_line_that_now_stands() -> None:
    server = manage()
    server.ignores = frozenset({"serialNumber"})
    client, _ = client_of(server)
    with pytest.raises(NoEffect, match=r"addition 9000 .* serial_number \(asked TU1-S-260401-abc, got nothing\)"):
        client.create_addition(501, NEW)


@pytest.mark.parametrize("body", ["", "<html>", [], addition_row(9002)])
def test_a_patch_whose_answer_says_nothing_about_the_line_is_in_doubt(body: object) -> None:
    client, transport = client_of(lambda request: answer(body))
    with pytest.raises(OutcomeUnknown):
        client.update_addition(501, 9001, {"quantity": Decimal(14)})
    assert transport.count("PATCH") == 1


def test_a_refused_write_carries_manages_words() -> None:
    detail = {"code": "NotFound", "message": "The product 99 does not exist.", "field": "product/id"}
    body = {"code": "InvalidObject", "message": "addition object is invalid", "errors": [detail]}
    client, transport = client_of(manage(), answer(body, 400))
    with pytest.raises(Refused, match="product/id: The product 99 does not exist"):
        client.create_addition(501, NEW)
    assert transport.count("POST") == 1


def test_a_delete_removes_the_line_and_a_second_one_says_that_it_is_gone() -> None:
    server = manage(additions=[addition_row(9001), addition_row(9002)])
    client, _ = client_of(server, no(503))
    client.delete_addition(501, 9001)
    assert [row["id"] for row in server.lists[ADDITIONS]] == [9002]
    with pytest.raises(Gone):
        client.delete_addition(501, 9001)


def test_a_delete_at_a_wrong_address_is_not_taken_for_gone() -> None:
    client, _ = client_of(lambda request: no(404, "ConnectWiseApi", "The endpoint does not exist."))
    with pytest.raises(NotPermitted, match="endpoint does not exist"):
        client.delete_addition(501, 9001)


def test_a_deadline_holds_for_every_call_inside_it() -> None:
    client, transport = client_of(manage(agreements=[agreement_row()]))
    with client.deadline(12):
        client.agreements(250)
    assert [request.timeout for request in transport.requests] == [12, 12]


def recap_row(number: int = 501, **values: object) -> dict[str, object]:
    known = {"name": f"Agreement {number}", "nextInvoiceDate": "2026-12-01T00:00:00Z", "unbilledPeriods": 0}
    return {"id": number, **known, "nextInvoiceAmount": 275.5, "lastInvoiceAmount": "250.00", **values}


def test_forecasts_of_next_invoices_are_asked_for_once_a_night() -> None:
    rows = [recap_row(), recap_row(502, nextInvoiceAmount="", nextInvoiceDate=None, unbilledPeriods=2)]
    client, transport = client_of(FakeManage({"/finance/agreementrecap/": rows}))
    for _ in range(3):
        assert client.recaps("one night") == {
            501: Recap(501, "Agreement 501", date(2026, 12, 1), Decimal("275.5")),
            502: Recap(502, "Agreement 502", None, None, 2),
        }
    assert len(transport.requests) == 1
    assert transport.requests[0].query["conditions"] == 'agreementStatus = "Active"'
    rows.pop()
    assert client.recaps("the next night").keys() == {501}
    assert len(transport.requests) == 2


@pytest.mark.parametrize("refusal", [no(403), no(404, "NotFound"), answer("<html>"), answer([{"id": "x"}]), RESET])
def test_forecasts_that_cannot_be_read_are_none_for_the_night_and_no_error(refusal: Answer | NoAnswer) -> None:
    client, transport = client_of(lambda request: refusal)
    assert client.recaps("one night") == {}
    asked = len(transport.requests)
    assert client.recaps("one night") == {}
    assert len(transport.requests) == asked


BACKUP = NewProduct(
    "BAK-5", "Backup", "Backup, 5 TB", 3, 2, None, "NonInventory", Decimal("49.00"), Decimal("31.50"), taxable=True
)


def test_a_product_is_created_once_and_known_from_then_on() -> None:
    row = product_row(91, "BAK-5", price=49, cost=31.5, taxableFlag=True)
    client, transport = client_of(lambda request: answer([] if request.method == "GET" else row))
    assert client.products(["BAK-5"]) == {}
    assert client.create_product(BACKUP).id == 91
    sent = transport.requests[-1].json
    assert (sent["subcategory"], sent["type"], sent["price"], sent["cost"]) == ({"id": 3}, {"id": 2}, 49, 31.5)
    assert (sent["customerDescription"], sent["serializedFlag"], "unitOfMeasure" in sent) == (
        "Backup, 5 TB",
        False,
        False,
    )
    assert client.products(["bak-5"])["bak-5"].id == 91
    assert len(transport.requests) == 2


def test_a_product_that_manage_made_otherwise_is_not_taken_for_the_one_asked_for() -> None:
    client, _ = client_of(lambda request: answer(product_row(91, "BAK-5", price=50, taxableFlag=True)))
    with pytest.raises(NoEffect, match=r"price \(asked 49.00, got 50") as caught:
        client.create_product(BACKUP)
    assert caught.value.answered.id == 91


def test_a_lost_answer_to_a_creation_is_sent_once_and_in_doubt() -> None:
    client, transport = client_of(lambda request: RESET)
    with pytest.raises(OutcomeUnknown):
        client.create_product(BACKUP)
    assert len(transport.requests) == 1


def test_what_a_product_can_be_filed_under_is_read_by_name_without_what_is_inactive() -> None:
    tables = {
        "/procurement/subcategories/": [
            {"id": 4, "name": "Licences", "category": {"id": 2, "name": "Cloud"}},
            {"id": 5, "name": "Old", "inactiveFlag": True, "category": None},
            {"id": 6, "name": "Backup", "category": {"id": 2, "name": "Cloud"}},
        ],
        "/procurement/types": [{"id": 2, "name": "Software"}],
        "/procurement/unitOfMeasures": [],
    }
    client, _ = client_of(FakeManage(tables))
    found = client.catalog_choices()
    assert [(each.id, each.category, each.name) for each in found.subcategories] == [
        (6, "Cloud", "Backup"),
        (4, "Cloud", "Licences"),
    ]
    assert ([each.name for each in found.types], found.units) == (["Software"], ())


def test_agreements_can_have_the_types_that_are_active() -> None:
    rows = [{"id": 3, "name": "Projects"}, {"id": 1, "name": "Cloud"}, {"id": 2, "name": "Old", "inactiveFlag": True}]
    client, _ = client_of(FakeManage({"/finance/agreements/types": rows}))
    assert client.agreement_types() == ["Cloud", "Projects"]


def test_products_with_an_identifier_are_looked_for_anew_each_time() -> None:
    client, transport = client_of(manage(catalog=[product_row(88, "m365-bp", inactiveFlag=True), product_row(9, "X")]))
    assert [product.id for product in client.products_named("M365-BP")] == [88]
    client.products_named("M365-BP")
    assert len(transport.requests) == 2
