from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Incomplete
from shared.http.wire import Answer
from shared.manage.call import Call
from shared.manage.client import COMPANIES
from shared.manage.paging import MOST_PAGES, PAGE_SIZE, read_all
from shared.manage.readers import company
from shared.manage.session import Session
from tests.unit.fakes_manage import FakeManage, FakeTransport, Request, answer, settings

CALL = Call("GET", COMPANIES, params={"conditions": "deletedFlag = false"})


def rows(*ids: int) -> list[dict[str, Any]]:
    return [{"id": number} for number in ids]


NEXT = '<https://elsewhere.test/v2026_1//apis/3.0/x?page=2>; rel="next", <https://elsewhere.test/x?page=9>; rel="last"'


def listed(handler: Callable[[Request], Answer]) -> tuple[list[int], FakeTransport]:
    transport = FakeTransport(handler)
    session = Session(settings(), transport=transport)
    return [row.id for row in read_all(session, CALL, company)], transport


def in_turn(*answers: Answer) -> Callable[[Request], Answer]:
    """A server that gives these answers, whatever it is asked."""
    left = iter(answers)
    return lambda request: next(left)


def test_a_short_list_takes_one_call_of_a_thousand_by_id() -> None:
    ids, transport = listed(FakeManage({"/company/companies": rows(1, 2, 3)}))
    assert ids == [1, 2, 3]
    assert [request.query for request in transport.requests] == [
        {"conditions": "deletedFlag = false", "orderBy": "id asc", "pageSize": "1000", "page": "1"}
    ]


@pytest.mark.parametrize(("length", "calls"), [(0, 1), (999, 1), (1000, 2), (1001, 2), (2500, 3)])
def test_full_pages_are_followed_by_another_even_without_a_link(length: int, calls: int) -> None:
    ids, transport = listed(FakeManage({"/company/companies": rows(*range(1, length + 1))}))
    assert ids == list(range(1, length + 1))
    assert len(transport.requests) == calls


def test_a_short_page_with_a_next_link_is_followed_on_our_own_host_with_our_own_conditions() -> None:
    ids, transport = listed(in_turn(answer(rows(1, 2), Link=NEXT), answer(rows(3))))
    assert ids == [1, 2, 3]
    assert all(request.url.startswith("https://manage.test/") for request in transport.requests)
    assert [(request.query["conditions"], request.query["page"]) for request in transport.requests] == [
        ("deletedFlag = false", "1"),
        ("deletedFlag = false and id > 2", "1"),
    ]


def test_an_empty_page_with_a_next_link_is_followed() -> None:
    ids, transport = listed(in_turn(answer(rows(1), Link=NEXT), answer([], Link=NEXT), answer(rows(2))))
    assert ids == [1, 2]
    assert [request.query["page"] for request in transport.requests] == ["1", "1", "2"]


def test_rows_deleted_or_added_between_two_pages_hide_no_other_row() -> None:
    server = FakeManage({"/company/companies": rows(*range(1, 1502))})

    def changing(request: Request) -> Answer:
        page = server(request)
        server.lists["/company/companies"] = rows(*range(10, 1503))
        return page

    ids, _ = listed(changing)
    assert ids == list(range(1, 1503))


@given(st.sets(st.integers(1, 10_000), max_size=30), st.data())
def test_however_the_server_cuts_its_pages_the_list_is_whole(numbers: set[int], data: st.DataObject) -> None:
    def cutting(request: Request) -> Answer:
        after = int(request.query["conditions"].partition("id > ")[2] or 0)
        left = [number for number in sorted(numbers) if number > after]
        cut = data.draw(st.integers(1, 9))
        return answer(rows(*left[:cut]), Link=NEXT if left[cut:] else "")

    assert listed(cutting)[0] == sorted(numbers)


@pytest.mark.parametrize(
    "link",
    [
        "",
        '<https://manage.test/x?page=1>; rel="first"',
        '<https://manage.test/next?rel=next&page=1>; rel="prev", <https://manage.test/x?page=1>; rel="last"',
    ],
)
def test_a_short_page_without_a_next_link_is_the_last(link: str) -> None:
    ids, transport = listed(in_turn(answer(rows(1), Link=link)))
    assert (ids, len(transport.requests)) == ([1], 1)


@pytest.mark.parametrize(
    "link",
    [
        "<https://manage.test/x?pageId=77>; rel=next",
        "<https://manage.test/x?a;b=1&Page=2>;title=x;REL=Next",
        '<https://manage.test/x?conditions=id>5,a&page=2>; rel="next"',
        '<https://manage.test/x?page=1>; rel="first", <https://manage.test/x?page=2>; rel="next"',
    ],
)
def test_a_next_link_in_any_form_leads_on(link: str) -> None:
    ids, _ = listed(in_turn(answer(rows(1), Link=link), answer(rows(2))))
    assert ids == [1, 2]


@pytest.mark.parametrize("body", [{"id": 1}, None, '"text"', 3, {"code": "x", "message": "y"}])
def test_a_body_that_is_no_list_is_incomplete(body: Any) -> None:
    with pytest.raises(Incomplete, match="not a list") as error:
        listed(in_turn(answer(body)))
    assert error.value.request_id == "request-1"


@pytest.mark.parametrize("text", ["<html>Maintenance</html>", '[{"id": 1}, {"id', ""])
def test_a_page_that_is_not_whole_json_is_incomplete(text: str) -> None:
    with pytest.raises(Incomplete):
        listed(in_turn(answer(rows(1), Link=NEXT), answer(text)))


def test_a_row_without_an_id_is_incomplete_and_named() -> None:
    with pytest.raises(Incomplete, match="company None: id does not fit"):
        listed(in_turn(answer([{"name": "Alderby Dental"}])))


@pytest.mark.parametrize(
    "answers",
    [
        [answer(rows(1, 2, 1))],
        [answer(rows(1, 2), Link=NEXT), answer(rows(2, 3))],
        [answer(rows(*range(PAGE_SIZE)))] * 2,
    ],
    ids=["in-one-page", "on-the-next", "conditions-ignored"],
)
def test_a_row_seen_before_means_that_the_list_is_not_complete(answers: list[Answer]) -> None:
    with pytest.raises(Incomplete, match="repeats rows"):
        listed(in_turn(*answers))


def test_rows_out_of_order_are_a_list_only_where_nothing_follows() -> None:
    assert listed(in_turn(answer(rows(2, 1))))[0] == [2, 1]
    with pytest.raises(Incomplete, match="not in the order"):
        listed(in_turn(answer(rows(2, 1), Link=NEXT)))


def test_a_list_without_an_end_is_given_up() -> None:
    transport = FakeTransport(lambda request: answer([], Link=NEXT))
    with pytest.raises(Incomplete, match="does not end"):
        read_all(Session(settings(), transport=transport), CALL, company)
    assert len(transport.requests) == MOST_PAGES
