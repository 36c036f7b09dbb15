"""The frame of the console's pages: who sees them, what a form must carry, notices, errors and headers."""

from __future__ import annotations

import re

import pytest

from shared.errors import NotPermitted
from shared.sync import checkup
from shared.web.app import make_app
from shared.web.principal import Access, Principal, Role
from tests.fakes.browser import Browser
from tests.fakes.house import House
from tests.flow.test_console import PLATFORM, READER, signed_in

TEST = "/console/setup/manage/test"


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def browser(house: House) -> Browser:
    """A reader's, on the platform."""
    return Browser(make_app(house.ports, PLATFORM), READER)


# ---- who sees a page


def test_whoever_is_not_signed_in_is_sent_to_sign_in_and_comes_back(house):
    answer = Browser(make_app(house.ports, PLATFORM)).get("/console/setup?from=mail")
    assert answer.status_code == 302
    back = "%2Fconsole%2Fsetup%3Ffrom%3Dmail"
    assert answer.headers["location"] == f"/.auth/login/aad?post_login_redirect_uri={back}"


def test_without_a_sign_in_before_the_app_a_page_says_how_to_get_one(house):
    answer = Browser(make_app(house.ports, Access())).get("/console/setup")
    assert answer.status_code == 401
    assert "nobody is signed in" in answer.words


def test_whoever_has_no_role_is_told_so_by_name(house):
    answer = Browser(make_app(house.ports, PLATFORM), signed_in()).get("/console/setup")
    assert answer.status_code == 403
    assert "pat@birchline.example does not have the role TrueUp.Reader" in answer.words
    assert "Ask an administrator" in answer.words


@pytest.mark.parametrize("path", ["/console", "/console/"])
def test_the_console_begins_with_the_first_steps(browser, path):
    assert browser.get(path).headers["location"] == "/console/setup"


def test_a_page_names_the_person_and_where_it_stands(browser):
    page = browser.get("/console/setup")
    assert page.status_code == 200
    assert "pat@birchline.example" in page.words
    assert '<a href="/console/setup" aria-current="page">' in page.text


def test_the_navigation_leads_to_pages_that_there_are(browser):
    links = re.findall(r'<li><a href="(/console/[^"]+)"', browser.get("/console/setup").text)
    assert links
    assert [browser.get(link).status_code for link in links] == [200] * len(links)


# ---- forms


def test_a_form_of_ours_acts(browser):
    browser.get("/console/setup")
    answer = browser.send_form(TEST)
    assert answer.status_code == 200
    assert "ConnectWise Manage: in order" in answer.words


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        ({"token": ""}, {}),
        ({"token": "guessed"}, {}),
        ({"token": "später"}, {}),
        ({}, {"Origin": "https://evil.example"}),
        ({}, {"Origin": "null"}),
        ({}, {"Sec-Fetch-Site": "cross-site"}),
    ],
)
def test_a_form_that_is_not_ours_does_nothing(browser, house, fields, headers):
    browser.get("/console/setup")
    before = house.manage.calls.copy()
    answer = browser.send_form(TEST, fields, headers=headers)
    assert answer.status_code == 403
    assert house.manage.calls == before


def test_a_token_without_its_cookie_is_worth_nothing(browser):
    browser.get("/console/setup")
    browser.cookies.clear()
    answer = browser.send_form(TEST)
    assert answer.status_code == 403
    assert "load the page again" in answer.words


def test_a_browser_keeps_its_token_for_all_its_tabs(browser):
    browser.get("/console/setup")
    first = browser.token
    browser.get("/console/setup")
    assert browser.token == first
    assert list(browser.cookies) == ["__Host-trueup-token"]


def test_another_browser_gets_another_token(browser, house):
    browser.get("/console/setup")
    other = Browser(make_app(house.ports, PLATFORM), READER)
    other.get("/console/setup")
    assert other.token != browser.token


# ---- errors


def test_what_a_check_finds_stands_on_the_page_escaped(browser, house):
    house.source.broken = NotPermitted("<script>alert(1)</script> was refused", remedy="Grant it.")
    browser.get("/console/setup")
    page = browser.send_form("/console/setup/microsoft365/test")
    assert "Microsoft 365: not in order" in page.words
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert" in page.text


def test_a_page_that_is_not_there_says_so_as_a_page(browser):
    answer = browser.get("/console/nowhere")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "There is no such page" in answer.words


def test_a_route_that_is_not_there_says_so_in_json(browser):
    answer = browser.get("/console/api/nowhere")
    assert (answer.status_code, answer.json()["error"]) == (404, "Not Found")


def test_an_error_of_the_tree_becomes_a_page_with_what_to_do(browser):
    browser.get("/console/setup")
    answer = browser.send_form("/console/setup/nobody/test")
    assert answer.status_code == 404
    assert "nobody is not connected Name one of those that the first steps show." in answer.words


@pytest.mark.parametrize(
    ("path", "kind"), [("/console/setup", "text/html"), ("/console/api/waiting", "application/json")]
)
def test_a_mistake_of_ours_is_answered_without_its_details(house, path, kind, monkeypatch):
    """Anything but an error of the tree is one."""

    def broken(*_: object) -> None:
        raise RuntimeError("the secret inside")

    monkeypatch.setattr("shared.web.pages.setup.connections", broken)
    monkeypatch.setattr("shared.sync.inbox.waiting", broken)
    answer = Browser(make_app(house.ports, PLATFORM), READER).get(path)
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (500, kind)
    assert "TrueUp itself failed" in answer.words
    assert "the secret inside" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


# ---- headers and files


@pytest.mark.parametrize("path", ["/console/setup", "/console/nowhere", "/console/api/waiting", "/console"])
def test_every_answer_carries_the_strict_headers_and_is_kept_by_nobody(browser, path):
    headers = browser.get(path).headers
    assert headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'")
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"


def test_the_stylesheet_is_kept_for_ever_under_a_url_of_its_own_content(browser, house):
    page = browser.get("/console/setup").text
    stylesheet, script = re.search(r'href="([^"]+\.css)"', page)[1], re.search(r'src="([^"]+\.js)"', page)[1]
    nobody = Browser(make_app(house.ports, PLATFORM))
    for url, kind in ((stylesheet, "text/css"), (script, "text/javascript")):
        answer = nobody.get(url)
        assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, kind)
        assert "immutable" in answer.headers["cache-control"]


def test_a_page_of_an_older_version_still_gets_a_stylesheet(browser):
    answer = browser.get("/console/static/0000000000000000/console.css")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache")


@pytest.mark.parametrize("name", ["..%2Fapp.py", "base.html", "../../app.py"])
def test_nothing_else_is_to_be_had_as_a_file(browser, name):
    assert browser.get(f"/console/static/0000000000000000/{name}").status_code == 404


def test_no_page_holds_script_or_style_of_its_own(browser):
    page = browser.get("/console/setup").text
    assert re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son[a-z]+=|javascript:", page) is None


# ---- on one machine


def test_on_one_machine_the_cookie_goes_without_https_and_the_form_acts(house):
    reader = Principal("kim@birchline.example", frozenset({Role.READER}))
    browser = Browser(make_app(house.ports, Access(stand_in=reader)), site="http://127.0.0.1:7071")
    browser.get("/console/setup")
    assert list(browser.cookies) == ["trueup-token"]
    assert browser.send_form(TEST).status_code == 200


def test_checks_that_the_page_offers_are_those_of_the_doctor(house):
    names = list(checkup.connections(house.ports).values())
    assert names[:2] == [check.name for check in checkup.check_up(house.ports)][:2]
