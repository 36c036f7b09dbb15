"""Writing to the sandbox's Manage: validation, the PATCH dialect, derived fields, and writes without effect."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.sandbox_manage import ACCOUNT, AGREEMENT, PRODUCT, RunningManage, add_line, served

ADDITIONS = f"finance/agreements/{AGREEMENT}/additions"
NEW = {"product": {"id": PRODUCT}, "billCustomer": "Billable", "quantity": 12, "effectiveDate": "2026-12-01"}


@pytest.fixture
def manage() -> Iterator[RunningManage]:
    with served() as running:
        yield running


def post(manage: RunningManage, **fields: Any) -> dict[str, Any]:
    response = manage.call("POST", ADDITIONS, {**NEW, **fields})
    assert response.status_code == 201, response.text
    return response.json()


def patch(manage: RunningManage, addition: int, *operations: dict[str, Any]) -> Any:
    return manage.call("PATCH", f"{ADDITIONS}/{addition}", list(operations))


def setting(path: str, value: Any) -> dict[str, Any]:
    return {"op": "replace", "path": path, "value": value}


def problems(response: Any) -> list[tuple[str, str]]:
    """The code and field of every entry of `errors`, of a refused write."""
    assert response.status_code == 400, response.text
    assert response.json()["code"] == "InvalidObject"
    return [(error["code"], error["field"]) for error in response.json()["errors"]]


# POST


def test_a_new_addition_is_answered_complete(manage):
    made = post(manage)
    info = made.pop("_info")
    assert made == {
        "id": 1,
        "agreementId": AGREEMENT,
        "product": {"id": PRODUCT, "identifier": "M365-BP", "serializedFlag": False},
        "quantity": 12.0,
        "lessIncluded": 0.0,
        "billedQuantity": 12.0,
        "unitPrice": 22.5,
        "unitCost": 17.6,
        "extPrice": 270.0,
        "extCost": 211.2,
        "margin": 58.8,
        "billCustomer": "Billable",
        "effectiveDate": "2026-12-01T00:00:00Z",
        "taxableFlag": True,
        "invoiceDescription": "Premium",
        "description": "Product M365-BP",
        "uom": "Each",
        "agreementStatus": "Inactive",
    }
    assert (info["lastUpdated"], info["enteredBy"]) == ("2026-11-21T02:00:00Z", "PUB")
    assert manage.get(f"{ADDITIONS}/1") == {**made, "_info": info}


def test_what_the_caller_sends_goes_before_the_products_defaults(manage):
    made = post(
        manage, unitPrice="19.95", taxableFlag="False", invoiceDescription="Ours", lessIncluded=2, description="x"
    )
    assert (made["unitPrice"], made["taxableFlag"], made["invoiceDescription"]) == (19.95, False, "Ours")
    assert (made["billedQuantity"], made["description"]) == (10.0, "Product M365-BP")


def test_the_product_may_be_named_by_its_identifier(manage):
    assert post(manage, product={"identifier": "M365-BS"})["product"]["id"] == 89


def test_the_same_post_twice_makes_two_lines(manage):
    first, second = post(manage, serialNumber="X-1"), post(manage, serialNumber="X-1")
    assert [row["id"] for row in manage.get(ADDITIONS)] == [first["id"], second["id"]]


def test_missing_required_fields_are_all_named(manage):
    response = manage.call("POST", ADDITIONS, {"quantity": 3})
    assert problems(response) == [("MissingRequiredField", "product"), ("MissingRequiredField", "billCustomer")]
    assert response.json()["message"] == "addition object is invalid"
    assert response.json()["errors"][0]["message"] == "The product field is required."


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"product": {"id": 777}}, ("NotFound", "product/id")),
        ({"product": {"identifier": "NONE"}}, ("NotFound", "product/identifier")),
        ({"product": {"id": 90}}, ("InvalidField", "product")),
        ({"product": 88}, ("InvalidField", "product")),
        ({"billCustomer": "Free"}, ("InvalidField", "billCustomer")),
        ({"quantity": "many"}, ("InvalidField", "quantity")),
        ({"quantity": True}, ("InvalidField", "quantity")),
        ({"effectiveDate": "tomorrow"}, ("InvalidField", "effectiveDate")),
        ({"taxableFlag": "perhaps"}, ("InvalidField", "taxableFlag")),
        ({"serialNumber": 7}, ("InvalidField", "serialNumber")),
        ({"customFields": {}}, ("InvalidField", "customFields")),
        ({"serialNumber": "x" * 51}, ("MaxLengthField", "serialNumber")),
        ({"invoiceDescription": "x" * 6001}, ("MaxLengthField", "invoiceDescription")),
    ],
)
def test_invalid_values_are_refused(manage, fields, problem):
    assert problems(manage.call("POST", ADDITIONS, {**NEW, **fields})) == [problem]
    assert manage.get(ADDITIONS) == []


def test_the_longest_texts_are_taken(manage):
    made = post(manage, serialNumber="x" * 50, invoiceDescription="x" * 6000)
    assert (len(made["serialNumber"]), len(made["invoiceDescription"])) == (50, 6000)


def test_a_post_to_an_agreement_that_does_not_exist_is_not_found(manage):
    assert manage.call("POST", "finance/agreements/777/additions", NEW).status_code == 404


@pytest.mark.parametrize("body", [None, [], "text"])
def test_a_body_that_is_no_object_is_refused(manage, body):
    assert manage.call("POST", ADDITIONS, body).status_code == 400


# PATCH


@pytest.mark.parametrize("path", ["quantity", "/quantity"])
@pytest.mark.parametrize("verb", ["replace", "add"])
def test_a_patch_sets_a_field_by_bare_or_slashed_path(manage, path, verb):
    made = post(manage)
    response = patch(manage, made["id"], {"op": verb, "path": path, "value": 14})
    assert (response.status_code, response.json()["quantity"], response.json()["extPrice"]) == (200, 14.0, 315.0)
    assert manage.get(f"{ADDITIONS}/{made['id']}") == response.json()


def test_every_write_moves_last_updated_although_the_clock_stands_still(manage):
    made = post(manage)
    patch(manage, made["id"], setting("quantity", 13))
    patch(manage, made["id"], setting("quantity", 14))
    assert manage.get(f"{ADDITIONS}/{made['id']}")["_info"]["lastUpdated"] == "2026-11-21T02:00:02Z"


@pytest.mark.parametrize(
    "operation",
    [{"op": "remove", "path": "cancelledDate"}, setting("cancelledDate", None), setting("cancelledDate", "")],
)
def test_a_patch_clears_a_field(manage, operation):
    made = post(manage, cancelledDate="2026-12-31")
    assert made["cancelledDate"] == "2026-12-31T00:00:00Z"
    assert "cancelledDate" not in patch(manage, made["id"], operation).json()


@pytest.mark.parametrize(
    ("operation", "problem"),
    [
        (setting("quantitty", 1), ("InvalidField", "quantitty")),
        (setting("Quantity", 1), ("InvalidField", "Quantity")),
        ({"op": "test", "path": "quantity", "value": 1}, ("InvalidField", "quantity")),
        ({"op": "Replace", "path": "quantity", "value": 1}, ("InvalidField", "quantity")),
        ({"path": "quantity", "value": 1}, ("InvalidField", "quantity")),
        ({"op": "remove", "path": "product"}, ("MissingRequiredField", "product")),
        (setting("product", {"id": 777}), ("NotFound", "product/id")),
        (setting("billCustomer", "Free"), ("InvalidField", "billCustomer")),
        (setting("quantity", []), ("InvalidField", "quantity")),
        (setting("serialNumber", "x" * 51), ("MaxLengthField", "serialNumber")),
    ],
)
def test_a_patch_that_is_not_understood_changes_nothing(manage, operation, problem):
    before = post(manage)
    assert problems(patch(manage, before["id"], setting("quantity", 99), operation)) == [problem]
    assert manage.get(f"{ADDITIONS}/{before['id']}") == before


def test_a_patch_that_is_no_array_is_refused(manage):
    made = post(manage)
    assert manage.call("PATCH", f"{ADDITIONS}/{made['id']}", setting("quantity", 1)).status_code == 400


def test_a_patch_below_a_reference_succeeds_without_effect(manage):
    made = post(manage)
    response = patch(manage, made["id"], setting("product/id", 89))
    assert (response.status_code, response.json()["product"]["id"]) == (200, PRODUCT)


def test_derived_fields_cannot_be_written(manage):
    made = post(manage)
    answer = patch(manage, made["id"], setting("extPrice", 1), setting("agreementId", 9), setting("id", 9)).json()
    assert (answer["extPrice"], answer["agreementId"], answer["id"]) == (270.0, AGREEMENT, made["id"])


def test_a_new_product_brings_its_own_price_cost_tax_and_text(manage):
    made = post(manage, unitPrice=19.95)
    answer = patch(manage, made["id"], setting("product", {"id": 89})).json()
    assert answer["product"]["identifier"] == "M365-BS"
    assert (answer["unitPrice"], answer["unitCost"], answer["taxableFlag"]) == (14.0, 10.0, False)
    assert (answer["invoiceDescription"], answer["description"]) == ("Standard", "Product M365-BS")


def test_a_new_product_leaves_what_the_same_request_sets(manage):
    made = post(manage)
    answer = patch(manage, made["id"], setting("unitPrice", 12), setting("product", {"id": 89})).json()
    assert (answer["unitPrice"], answer["unitCost"]) == (12.0, 10.0)


def test_naming_the_same_product_again_keeps_the_price(manage):
    made = post(manage, unitPrice=19.95)
    assert patch(manage, made["id"], setting("product", {"id": PRODUCT})).json()["unitPrice"] == 19.95


def test_custom_fields_are_replaced_whole(manage):
    made = post(manage)
    answer = patch(manage, made["id"], setting("customFields", [{"id": 21, "value": "x"}])).json()
    assert answer["customFields"] == [{"id": 21, "value": "x"}]


# PUT, DELETE


def test_a_put_replaces_everything_but_the_id(manage):
    made = post(manage, serialNumber="X-1", unitPrice=1, cancelledDate="2026-12-31")
    answer = manage.call("PUT", f"{ADDITIONS}/{made['id']}", {**NEW, "id": 99, "quantity": 5}).json()
    assert (answer["id"], answer["quantity"], answer["unitPrice"]) == (made["id"], 5.0, 22.5)
    assert not {"serialNumber", "cancelledDate"} & set(answer)


def test_a_deleted_addition_is_gone(manage):
    made = post(manage)
    response = manage.call("DELETE", f"{ADDITIONS}/{made['id']}")
    assert (response.status_code, response.content) == (204, b"")
    assert manage.call("DELETE", f"{ADDITIONS}/{made['id']}").status_code == 404
    assert manage.get(ADDITIONS) == []


def test_a_role_without_delete_is_forbidden_to_delete():
    with served(account=replace(ACCOUNT, may_delete_additions=False)) as manage:
        line = add_line(manage.records)
        response = manage.call("DELETE", f"{ADDITIONS}/{line['id']}")
        assert (response.status_code, response.json()["code"]) == (403, "Security")
        assert len(manage.get(ADDITIONS)) == 1


# status


@pytest.mark.parametrize(
    ("dates", "status"),
    [
        ({}, "Active"),
        ({"effectiveDate": "2026-11-22T00:00:00Z"}, "Inactive"),
        ({"cancelledDate": "2026-11-22T00:00:00Z"}, "Active"),
        ({"cancelledDate": "2026-11-21T00:00:00Z"}, "Cancelled"),
    ],
)
def test_an_additions_status_follows_its_dates(manage, dates, status):
    line = add_line(manage.records, **dates)
    assert manage.get(f"{ADDITIONS}/{line['id']}")["agreementStatus"] == status


def test_an_addition_of_a_cancelled_agreement_is_cancelled(manage):
    line = add_line(manage.records)
    manage.records.get("agreements", AGREEMENT)["cancelledFlag"] = True
    assert manage.get(f"{ADDITIONS}/{line['id']}")["agreementStatus"] == "Cancelled"


# no effect


def test_writes_without_effect_answer_success_and_change_nothing(manage):
    made = post(manage)
    manage.fault = "no-effect"
    patched = patch(manage, made["id"], setting("quantity", 14))
    assert (patched.status_code, patched.json()) == (200, made)
    created = manage.call("POST", ADDITIONS, NEW)
    assert created.status_code == 201
    assert manage.call("DELETE", f"{ADDITIONS}/{made['id']}").status_code == 204
    manage.fault = None
    assert manage.get(ADDITIONS) == [made]
    assert manage.call("GET", f"{ADDITIONS}/{created.json()['id']}").status_code == 404
    assert post(manage)["id"] not in (made["id"], created.json()["id"])


# agreements, catalog, callbacks


def test_an_agreement_can_be_patched_but_not_its_next_invoice_date(manage):
    operations = [setting("name", "Cloud and more"), setting("nextInvoiceDate", "2030-01-01")]
    answer = manage.call("PATCH", f"finance/agreements/{AGREEMENT}", operations).json()
    assert (answer["name"], answer["nextInvoiceDate"]) == ("Cloud and more", "2026-12-01T00:00:00Z")


def test_an_agreement_that_moves_to_another_company_is_listed_there(manage):
    manage.call("PATCH", f"finance/agreements/{AGREEMENT}", [setting("company", {"id": 251})])
    assert manage.get("finance/agreements", conditions="company/id = 250") == []
    assert len(manage.get("finance/agreements", conditions="company/id = 251")) == 1


def test_a_catalog_item_needs_its_fields_and_a_new_identifier(manage):
    item = {
        "identifier": "EXO-P1",
        "description": "Exchange",
        "subcategory": {"id": 1},
        "type": {"id": 1},
        "customerDescription": "Mail",
        "price": 4,
    }
    made = manage.call("POST", "procurement/catalog", item)
    assert (made.status_code, made.json()["price"], made.json()["productClass"]) == (201, 4.0, "NonInventory")
    assert problems(manage.call("POST", "procurement/catalog", item)) == [("ObjectExists", "identifier")]
    assert len(problems(manage.call("POST", "procurement/catalog", {}))) == 5
    long = {**item, "identifier": "x" * 76}
    assert problems(manage.call("POST", "procurement/catalog", long)) == [("MaxLengthField", "identifier")]


CALLBACK = {"url": "https://x.example/cb?recordId=", "objectId": 0, "type": "agreement", "level": "owner"}


def test_a_callback_is_registered_once_and_can_be_removed(manage):
    made = manage.call("POST", "system/callbacks", CALLBACK)
    assert (made.status_code, made.json()["objectId"], made.json()["inactiveFlag"]) == (201, 1, False)
    assert manage.call("POST", "system/callbacks", {**CALLBACK, "type": "company"}).status_code == 201
    again = manage.call("POST", "system/callbacks", CALLBACK)
    assert problems(again) == [("ObjectExists", "objectId")]
    assert again.json()["errors"][0]["message"] == "A matching callback entry already exists"
    found = manage.get("system/callbacks", conditions='url contains "x.example" and type = "agreement"')
    assert [row["id"] for row in found] == [made.json()["id"]]
    assert manage.call("DELETE", f"system/callbacks/{made.json()['id']}").status_code == 204
    assert manage.call("DELETE", f"system/callbacks/{made.json()['id']}").json()["code"] == "ConnectWiseApi"


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"url": "nowhere"}, ("InvalidField", "url")),
        ({"type": "addition"}, ("InvalidObject", "type")),
        ({"level": "territory"}, ("InvalidObject", "level")),
        ({"objectId": None}, ("MissingRequiredField", "objectId")),
    ],
)
def test_an_invalid_callback_is_refused(manage, fields, problem):
    assert problems(manage.call("POST", "system/callbacks", {**CALLBACK, **fields})) == [problem]
