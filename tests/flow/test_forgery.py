"""Whatever acts, for every way there is: nothing happens unless one of our own pages sent it from this browser."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from shared.web.principal import Role
from tests.fakes.app import app_for
from tests.fakes.browser import Browser
from tests.fakes.house import House
from tests.flow.test_access import WAYS, Caller, caller, house_of_two
from tests.flow.test_console import ADMIN, PLATFORM

ACTING = [way for way in WAYS if way[0] != "GET"]
JSON = [way for way in ACTING if WAYS[way].body is not None]
FORMS = [way for way in ACTING if way not in JSON]
#: What browsers say of a request that another site has started.
ELSEWHERE = [
    {"origin": "https://evil.example"},
    {"origin": "https://trueup.example.evil.example"},
    {"origin": "null"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
]
#: The kinds of bodies that a form of another site can send without asking first.
SIMPLE = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=limit", ""]


@pytest.fixture(scope="module")
def house() -> House:
    return house_of_two()


@pytest.fixture
def admin(house: House) -> Iterator[Caller]:
    """Who may everything; whatever they are made to send in a test must change and ask nothing."""
    person = caller(house, Role.ADMIN)
    before = touched(house)
    yield person
    assert touched(house) == before


def touched(house: House) -> tuple[Counter, Counter, Counter, int]:
    """What was written to the store and asked of Manage and of the source so far, and how much is on the queue."""
    writes = Counter({call: times for call, times in house.tables.calls.items() if call[0] not in ("get", "query")})
    return writes, house.manage.calls.copy(), house.source.reads.copy(), len(house.queue)


@pytest.mark.parametrize("way", ACTING, ids=" ".join)
def test_what_another_site_sends_does_nothing(admin, way):
    for headers in ELSEWHERE:
        answer = admin.go(*way, headers=headers)
        assert (answer.status_code, "comes from another site" in answer.words) == (403, True), headers


@pytest.mark.parametrize("way", FORMS, ids=" ".join)
def test_a_form_without_the_token_of_this_browser_does_nothing(admin, house, way):
    other = Browser(app_for(house.ports, PLATFORM), ADMIN)
    other.get("/console/setup")
    for token in ("", "guessed", other.token):
        admin.browser.token = token
        answer = admin.go(*way)
        assert (answer.status_code, "not one of ours" in answer.words) == (403, True), token


@pytest.mark.parametrize("way", FORMS, ids=" ".join)
def test_a_token_without_its_cookie_does_nothing(admin, way):
    admin.browser.cookies.clear()
    answer = admin.go(*way)
    assert (answer.status_code, "not one of ours" in answer.words) == (403, True)


@pytest.mark.parametrize("way", JSON, ids=" ".join)
def test_json_under_another_name_does_nothing(admin, way):
    for kind in SIMPLE:
        assert admin.go(*way, headers={"content-type": kind}).status_code in (400, 415), kind
