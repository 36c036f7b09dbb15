"""Reading from the sandbox's Manage: the way in, lists, paging and the faults that lists take part in."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from aiohttp import web

from local.sandbox.manage.app import route_template
from tests.unit.sandbox_manage import AGREEMENT, NOW, RunningManage, add_agreement, add_line, served, small_msp

AGREEMENTS = "finance/agreements"
ADDITIONS = f"finance/agreements/{AGREEMENT}/additions"
FORWARD = {"pagination-type": "forward-only"}


@pytest.fixture
def manage() -> Iterator[RunningManage]:
    with served() as running:
        yield running


def follow(manage: RunningManage, response: requests.Response, *, most: int = 50) -> list[list[int]]:
    """The ids of each page, following `next` links to the end."""
    pages = [[row["id"] for row in response.json()]]
    while "next" in response.links and len(pages) < most:
        headers = {**response.request.headers}
        response = requests.get(response.links["next"]["url"], headers=headers, timeout=10)
        pages.append([row["id"] for row in response.json()])
    return pages


def flat(pages: list[list[int]]) -> list[int]:
    return [row for page in pages for row in page]


# the way in


def test_the_key_pair_is_sent_as_a_compound_user(manage):
    headers = {"Authorization": "Basic YWNtZStQVUI6UFJJVg==", "CLIENTID": manage.account.client_id}
    assert requests.get(f"{manage.url}/v4_6_release/apis/3.0/system/info", headers=headers, timeout=10).ok


@pytest.mark.parametrize("user", ["acme+PUB:wrong", "acme+WRONG:PRIV", "other+PUB:PRIV", "PUB:PRIV"])
def test_wrong_keys_are_unauthorized(manage, user):
    authorization = "Basic " + base64.b64encode(user.encode()).decode()
    response = manage.call("GET", AGREEMENTS, headers={"Authorization": authorization})
    assert (response.status_code, response.json()["code"]) == (401, "Unauthorized")
    assert response.json()["message"] == "Incorrect public/private key."


def test_no_keys_at_all_are_unauthorized(manage):
    response = requests.get(f"{manage.url}/v4_6_release/apis/3.0/system/info", timeout=10)
    assert (response.status_code, response.json()["code"]) == (401, "UserNotAuthenticated")


@pytest.mark.parametrize("client_id", [None, "00000000-0000-4000-8000-000000000009"])
def test_a_missing_or_foreign_client_id_is_forbidden(manage, client_id):
    response = manage.call("GET", AGREEMENTS, headers={"clientId": client_id})
    assert (response.status_code, response.json()["code"]) == (403, "Security")


def test_discovery_needs_no_keys_and_names_the_codebase(manage):
    found = requests.get(f"{manage.url}/login/companyinfo/ACME", timeout=10)
    assert found.json()["Codebase"] == "v2026_1/"
    assert requests.get(f"{manage.url}/login/companyinfo/nobody", timeout=10).json() is None


@pytest.mark.parametrize(
    "base", ["/v4_6_release/apis/3.0/", "/v2026_1/apis/3.0/", "/v2026_1//apis/3.0/", "/v4_6_release/apis//3.0//"]
)
def test_every_codebase_and_doubled_slashes_lead_to_the_same_place(manage, base):
    assert [row["id"] for row in manage.get(f"{base}finance/agreements")] == [AGREEMENT]


@pytest.mark.parametrize("path", ["finance/nothing", "finance/agreements/abc", "finance/agreements/501/nothing"])
def test_an_address_that_does_not_exist_is_not_an_endpoint(manage, path):
    response = manage.call("GET", path)
    assert response.status_code == 404
    assert response.json() == {"code": "ConnectWiseApi", "message": "The endpoint does not exist.", "errors": None}


def test_a_record_that_does_not_exist_is_not_found(manage):
    response = manage.call("GET", "finance/agreements/777")
    assert (response.status_code, response.json()["code"]) == (404, "NotFound")
    assert response.json()["message"] == "Agreement 777 not found"


def test_an_address_that_is_too_long_is_refused(manage):
    ids = ",".join(["501"] * 600)
    assert manage.call("GET", AGREEMENTS, conditions=f"id in ({ids})").status_code == 414


@pytest.mark.parametrize("path", ["system/info", "finance/nothing", "finance/agreements/777"])
def test_every_answer_has_a_request_id_and_the_version(manage, path):
    first, second = manage.call("GET", path), manage.call("GET", path)
    assert first.headers["api-current-version"] == "2026.1"
    assert first.headers["x-cw-request-id"] != second.headers["x-cw-request-id"]


@pytest.mark.parametrize(
    ("path", "template"),
    [
        (f"/v2026_1//apis/3.0/{ADDITIONS}/9", "finance/agreements/{agreement}/additions/{id}"),
        ("/v4_6_release/apis/3.0/company/companies", "company/companies"),
        ("/login/companyinfo/acme", "/login/companyinfo/{company}"),
    ],
)
def test_the_route_of_a_call_is_named_without_its_base_path(path, template):
    seen = []

    @web.middleware
    async def note(request: web.Request, handler: Any) -> web.StreamResponse:
        seen.append(route_template(request))
        return await handler(request)

    with served(middlewares=[note]) as manage:
        manage.call("GET", path)
    assert seen == [template]


# lists


@pytest.mark.parametrize(
    ("path", "ids"),
    [
        ("company/companies", [250, 251]),
        ("finance/agreements", [AGREEMENT]),
        ("finance/agreements/types", [7]),
        ("finance/billingCycles", [1, 2, 3, 4, 5]),
        ("finance/agreementrecap/", [AGREEMENT]),
        ("finance/invoices", []),
        ("procurement/catalog", [88, 89, 90]),
        ("procurement/subcategories/", []),
        ("procurement/types", []),
        ("procurement/unitOfMeasures", []),
        ("system/callbacks", []),
        ("system/members", []),
    ],
)
def test_each_collection_can_be_listed_counted_and_read(manage, path, ids):
    listed = manage.get(path)
    assert [row["id"] for row in listed] == ids
    assert manage.get(f"{path.rstrip('/')}/count") == {"count": len(ids)}
    for row in listed:
        assert manage.get(f"{path.rstrip('/')}/{row['id']}") == row


def test_the_additions_of_an_agreement_that_does_not_exist_are_not_found(manage):
    assert manage.call("GET", "finance/agreements/777/additions").status_code == 404


def test_an_addition_is_found_under_its_own_agreement_only(manage):
    add_agreement(manage.records, 502)
    line = add_line(manage.records)
    assert manage.get(f"{ADDITIONS}/{line['id']}")["id"] == line["id"]
    for method in ("GET", "DELETE"):
        response = manage.call(method, f"finance/agreements/502/additions/{line['id']}")
        assert (response.status_code, response.json()["code"]) == (404, "NotFound")


def test_conditions_filter_lists_and_counts(manage):
    add_agreement(manage.records, 502, company={"id": 251, "identifier": "oakmere", "name": "Oakmere Joinery"})
    add_agreement(manage.records, 503, cancelledFlag=True)
    condition = 'company/id = 250 and agreementStatus = "Active"'
    assert [row["id"] for row in manage.get(AGREEMENTS, Conditions=condition)] == [AGREEMENT]
    assert manage.get(f"{AGREEMENTS}/count", conditions=condition) == {"count": 1}
    assert [row["id"] for row in manage.get(AGREEMENTS, conditions="company/id = 251")] == [502]


def test_additions_are_filtered_by_product_and_status(manage):
    line = add_line(manage.records)
    add_line(manage.records, cancelledDate="2026-10-31T00:00:00Z")
    condition = 'product/identifier = "M365-BP" and product/id = 88 and agreementStatus = "Active"'
    assert [row["id"] for row in manage.get(ADDITIONS, conditions=condition)] == [line["id"]]


@pytest.mark.parametrize("parameter", ["conditions", "orderBy"])
def test_an_unknown_name_is_a_bad_request(manage, parameter):
    response = manage.call("GET", AGREEMENTS, **{parameter: "invoiceDate = null"})
    assert response.status_code == 400
    assert response.json()["code"] == "ApiFindCondition"
    assert response.json()["message"] == "invoiceDate is not a recognized name."


def test_child_conditions_are_refused_rather_than_ignored(manage):
    assert manage.call("GET", AGREEMENTS, childConditions="types/id = 1").status_code == 400


def test_a_list_is_ordered_by_id_unless_another_order_is_asked(manage):
    for agreement, name in ((504, "Alpha"), (503, "Beta"), (502, "Alpha")):
        add_agreement(manage.records, agreement, name=name)
    assert [row["id"] for row in manage.get(AGREEMENTS)] == [501, 502, 503, 504]
    assert [row["id"] for row in manage.get(AGREEMENTS, orderby="id desc")] == [504, 503, 502, 501]
    assert [row["id"] for row in manage.get(AGREEMENTS, orderBy="name desc, id asc")] == [501, 503, 502, 504]


def test_fields_project_and_drop_the_info(manage):
    assert manage.get(AGREEMENTS, fields="id,company/id,company/name,endDate,unknown,name/x") == [
        {"id": AGREEMENT, "company": {"id": 250, "name": "Larkhill Dental"}}
    ]
    assert set(manage.get(f"{AGREEMENTS}/{AGREEMENT}", fields="name,_info")) == {"name", "_info"}


def test_unset_fields_are_absent(manage):
    add_line(manage.records, cancelledDate=None)
    assert "cancelledDate" not in manage.get(ADDITIONS)[0]
    assert "endDate" not in manage.get(AGREEMENTS)[0]


def test_an_agreements_status_follows_the_clock(manage):
    manage.records.get("agreements", AGREEMENT).update(noEndingDateFlag=False, endDate="2026-12-31T00:00:00Z")
    add_agreement(manage.records, 502, startDate="2027-01-01T00:00:00Z")
    add_agreement(manage.records, 503, cancelledFlag=True, dateCancelled="2026-12-15T00:00:00Z")
    assert [row["agreementStatus"] for row in manage.get(AGREEMENTS)] == ["Active", "Inactive", "Active"]
    manage.clock.set(NOW.replace(year=2027, month=1, day=1))
    assert [row["agreementStatus"] for row in manage.get(AGREEMENTS)] == ["Expired", "Active", "Cancelled"]


# paging


@pytest.fixture
def crowded() -> Iterator[RunningManage]:
    """Sixty additions with the ids 1 to 60."""
    records = small_msp()
    for _ in range(60):
        add_line(records)
    with served(records) as running:
        yield running


def test_the_default_page_has_25_rows(crowded):
    assert len(crowded.get(ADDITIONS)) == 25


def test_pages_are_numbered_from_1_and_end_in_an_empty_list(crowded):
    assert [row["id"] for row in crowded.get(ADDITIONS, page=3, pageSize=25)] == list(range(51, 61))
    assert crowded.get(ADDITIONS, page=4, pageSize=25) == []


def test_links_lead_through_all_pages_with_the_page_as_last_parameter(crowded):
    first = crowded.call("GET", ADDITIONS, page=1, PageSize=20, orderBy="id asc", fields="id")
    assert set(first.links) == {"next", "last"}
    assert first.links["next"]["url"].endswith("&page=2")
    assert first.links["last"]["url"].endswith("&page=3")
    assert flat(follow(crowded, first)) == list(range(1, 61))
    last = crowded.call("GET", ADDITIONS, page=3, pageSize=20)
    assert set(last.links) == {"prev", "first"}


def test_links_keep_the_conditions(crowded):
    response = crowded.call("GET", ADDITIONS, conditions="id > 10 and serialNumber = null", pageSize=30)
    assert flat(follow(crowded, response)) == list(range(11, 61))


def test_a_list_on_one_page_has_no_link(crowded):
    assert "Link" not in crowded.call("GET", ADDITIONS, pageSize=60).headers


def test_a_page_size_above_a_thousand_is_capped_without_an_error():
    records = small_msp()
    for _ in range(1001):
        add_line(records)
    with served(records) as manage:
        assert len(manage.get(ADDITIONS, pageSize=5000)) == 1000


def test_a_page_that_is_not_a_number_is_refused(crowded):
    assert crowded.call("GET", ADDITIONS, page="two").status_code == 400


def test_forward_only_paging_ends_with_an_empty_link(crowded):
    first = crowded.call("GET", ADDITIONS, headers=FORWARD, pageSize=25, page=2)
    assert follow(crowded, first) == [list(range(1, 26)), list(range(26, 51)), list(range(51, 61))]
    last = crowded.call("GET", ADDITIONS, headers=FORWARD, pageSize=25, pageId=50)
    assert last.headers["Link"] == ""


def test_forward_only_paging_loses_nothing_when_a_row_goes_meanwhile(crowded):
    first = crowded.call("GET", ADDITIONS, headers=FORWARD, pageSize=25)
    crowded.records.remove("additions", 3)
    assert flat(follow(crowded, first)) == list(range(1, 61))


# faults


@pytest.mark.parametrize("headers", [{}, FORWARD])
@pytest.mark.parametrize("size", [25, 1000])
def test_a_short_page_is_not_the_last(crowded, headers, size):
    crowded.fault = "short-page"
    pages = follow(crowded, crowded.call("GET", ADDITIONS, headers=headers, pageSize=size))
    assert len(pages[0]) < min(size, 60) or size == 25
    assert len(pages) > 1
    assert flat(pages) == list(range(1, 61))


@pytest.mark.parametrize("headers", [{}, FORWARD])
def test_an_empty_page_in_the_middle_is_not_the_last(crowded, headers):
    crowded.fault = "empty-page"
    pages = follow(crowded, crowded.call("GET", ADDITIONS, headers=headers, pageSize=1000))
    assert pages[1] == []
    assert flat(pages) == list(range(1, 61))


@pytest.mark.parametrize("headers", [{}, FORWARD])
def test_an_endless_list_always_has_a_next_page(crowded, headers):
    crowded.fault = "endless"
    assert len(follow(crowded, crowded.call("GET", ADDITIONS, headers=headers, pageSize=30), most=12)) == 12
