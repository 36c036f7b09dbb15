"""The frame of the console's pages: who sees them, what a form must carry, notices, errors and headers."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import pytest

from shared.billing.counts import FailureKind
from shared.billing.rules import CompanyLink, CompanyRules, Mode
from shared.bootstrap import make_ports
from shared.environment import ShownSetting
from shared.errors import NotPermitted, TrueUpError
from shared.settings import load_settings
from shared.sync import checkup, setup
from shared.sync.lanes import start_run
from shared.web.principal import Access, Principal, Role
from tests import builders as b
from tests.fakes.app import app_for
from tests.fakes.browser import Browser
from tests.fakes.house import House
from tests.flow.test_console import ADMIN, BILLER, PLATFORM, READER, signed_in
from tests.unit.test_architecture import SETTINGS

PARTNER = "c2f0a6de-91b5-4d3e-8f27-6a40be1d7c93"
TEST = "/console/setup/manage/test"


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def browser(house: House) -> Browser:
    """A reader's, on the platform."""
    return Browser(app_for(house.ports, PLATFORM), READER)


# ---- who sees a page


def test_whoever_is_not_signed_in_is_sent_to_sign_in_and_comes_back(house):
    answer = Browser(app_for(house.ports, PLATFORM)).get("/console/setup?from=mail")
    assert answer.status_code == 302
    back = "%2Fconsole%2Fsetup%3Ffrom%3Dmail"
    assert answer.headers["location"] == f"/.auth/login/aad?post_login_redirect_uri={back}"


def test_without_a_sign_in_before_the_app_a_page_says_how_to_get_one(house):
    answer = Browser(app_for(house.ports, Access())).get("/console/setup")
    assert answer.status_code == 401
    assert "nobody is signed in" in answer.words


def test_whoever_has_no_role_is_told_so_by_name(house):
    answer = Browser(app_for(house.ports, PLATFORM), signed_in()).get("/console/setup")
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
    other = Browser(app_for(house.ports, PLATFORM), READER)
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
    assert "There is no such page Use the navigation above." in answer.words


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

    monkeypatch.setattr("shared.sync.setup.first_steps", broken)
    monkeypatch.setattr("shared.sync.inbox.waiting", broken)
    answer = Browser(app_for(house.ports, PLATFORM), READER).get(path)
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
    nobody = Browser(app_for(house.ports, PLATFORM))
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
    browser = Browser(app_for(house.ports, Access(stand_in=reader)), site="http://127.0.0.1:7071")
    browser.get("/console/setup")
    assert list(browser.cookies) == ["trueup-token"]
    assert browser.send_form(TEST).status_code == 200


# ---- first steps


def settings(**values: str) -> tuple[ShownSetting, ...]:
    given = {**SETTINGS, "MICROSOFT_CLIENT_SECRET": "hush-1", "PAX8_CLIENT_SECRET": "hush-2", **values}
    return load_settings(given).shown


def test_secrets_are_shown_as_set_and_settings_to_administrators_only(house):
    ports = replace(house.ports, settings=settings(AzureWebJobsStorage="AccountName=a;AccountKey=hush-3"))
    app = app_for(ports, PLATFORM)
    shown = Browser(app, ADMIN).get("/console/setup")
    assert "MANAGE_COMPANY northbeam" in shown.words
    assert "MICROSOFT_CLIENT_SECRET set" in shown.words
    assert "hush" not in shown.text
    assert "hush" not in Browser(app, ADMIN).get("/console/api/setup").text
    for less in (Browser(app, READER).get(path).text for path in ("/console/setup", "/console/api/setup")):
        assert "northbeam" not in less


def test_what_is_not_connected_says_which_settings_it_needs(browser):
    found = {each["id"]: each for each in browser.get("/console/api/setup").json()["connections"]}
    assert found["microsoft365"]["connected"]
    assert not found["pax8"]["connected"]
    assert found["pax8"]["needs"] == ["PAX8_CLIENT_ID", "PAX8_CLIENT_SECRET"]
    assert (
        "Set PAX8_CLIENT_ID , PAX8_CLIENT_SECRET ; docs/connect-pax8.md says how."
        in browser.get("/console/setup").words
    )


def test_every_source_can_be_connected_by_settings_that_there_are():
    known = {setting.name for setting in settings()}
    sources = make_ports(load_settings(SETTINGS)).sources
    assert set(sources) < set(setup.KINDS)
    assert {name for kind in setup.KINDS.values() for name in kind.needs} <= known


def test_each_tenant_has_a_link_for_its_consent_and_refused_ones_come_first(house):
    house.rules(b.rules())
    for company in (1, 2):
        house.company(company, [b.count(8)], [])
    house.source.failing["tenant-2"] = FailureKind.CONSENT_LOST
    house.sync(2)
    ports = replace(
        house.ports,
        settings=settings(MICROSOFT_PARTNER_TENANTS=PARTNER),
        consent_url=lambda tenant: f"https://login.example/{tenant}/adminconsent",
    )
    found = Browser(app_for(ports, PLATFORM), READER).get("/console/api/setup").json()["consents"]
    assert [(each["name"], each["tenant"], each["lost"]) for each in found] == [
        ("Named in the settings", PARTNER, False),
        ("Company 2", "tenant-2", True),
        ("Company 1", "tenant-1", False),
    ]
    assert found[1]["url"] == "https://login.example/tenant-2/adminconsent"


def test_of_several_tenants_of_a_company_the_one_that_refuses_is_named_and_each_is_tested_alone(house):
    house.rules(b.rules())
    links = tuple(CompanyLink(b.SOURCE, customer) for customer in ("tenant-1", "tenant-9"))
    house.company(1, [b.count(8)])
    house.ports.companies.put_rules(CompanyRules(1, "Company 1", Mode.OBSERVE, links))
    house.source.failing["tenant-9"] = FailureKind.CONSENT_LOST
    house.sync(1)
    ports = replace(house.ports, consent_url=lambda tenant: f"https://login.example/{tenant}/adminconsent")
    browser = Browser(app_for(ports, PLATFORM), BILLER)
    told = {each["tenant"]: each["lost"] for each in browser.get("/console/api/setup").json()["consents"]}
    assert told == {"tenant-9": True, "tenant-1": False}

    page = browser.get("/console/companies/1")
    assert page.text.count("adminconsent") == 1
    assert 'href="https://login.example/tenant-9/adminconsent"' in page.text
    nine = {"source": b.SOURCE, "customer": "tenant-9"}
    refused = browser.send_form("/console/companies/1/links/test", nine)
    assert "Microsoft 365 tenant-9: not in order It did not answer. Wait. Consent" in refused.words
    refused = browser.send_form("/console/setup/consent/1/test", {"tenant": "tenant-9"})
    assert "Company 1: not in order" in refused.words

    house.source.failing.clear()
    house.tables.calls.clear()
    tested = browser.post("/console/api/companies/1/links/test", json=nine).json()
    assert (tested["problems"], tested["consent"]) == ([], None)
    assert {operation for operation, _ in house.tables.calls} == {"get"}
    assert browser.send_form("/console/setup/consent/1/test", {"tenant": "tenant-7"}).status_code == 404


def test_the_steps_tell_what_is_done_and_what_is_not(house, browser):
    def done() -> list[bool]:
        return [step["done"] for step in browser.get("/console/api/setup").json()["steps"]]

    assert done() == [True, False, False, False, False, False, False]
    house.rules(b.rules())
    house.company(1, [b.count(8)], [b.addition(11, 5)], mode=Mode.APPROVE)
    start_run(house.ports, "run", "nightly", [1])
    house.work_until_done("run")
    assert done() == [True, True, True, True, True, True, False]


def test_a_connection_is_tested_by_a_program_too(browser, house):
    house.source.broken = NotPermitted("was refused", remedy="Grant it.")
    answer = browser.post("/console/api/setup/microsoft365/test", json={})
    assert answer.json() == {"connection": "microsoft365", "name": "Microsoft 365", "problems": ["was refused"]}
    assert browser.post("/console/api/setup/manage/test", json={}).json()["problems"] == []
    assert browser.post("/console/api/setup/pax8/test", json={}).status_code == 404


@dataclass
class FakeChannel:
    broken: TrueUpError | None = None

    def check(self) -> None:
        if self.broken is not None:
            raise self.broken


def test_first_steps_test_mail_as_the_doctor_does(house):
    channel = FakeChannel()
    ports = replace(house.ports, channels={"mail": channel})
    browser = Browser(app_for(ports, PLATFORM), READER)

    assert "Mail connected Test Mail" in browser.get("/console/setup").words
    assert "Mail: in order" in browser.send_form("/console/setup/mail/test").words
    channel.broken = NotPermitted("the password was refused", remedy="Correct NOTICE_SMTP_PASSWORD.")
    assert "Mail: not in order the password was refused. Correct" in browser.send_form("/console/setup/mail/test").words
    told = browser.post("/console/api/setup/mail/test", json={}).json()
    (check,) = [each for each in checkup.check_up(ports) if each.name == "mail"]
    assert (told["name"], tuple(told["problems"])) == ("Mail", check.problems)


@pytest.mark.parametrize(
    ("settings", "channels"),
    [
        ({"NOTICE_TEAMS": "desk=https://prod-1.westus.logic.azure.com/workflows/1?sig=a"}, set()),
        ({"NOTICE_SMTP": "smtp.birchline.example:587", "NOTICE_SMTP_FROM": "trueup@birchline.example"}, {"mail"}),
        ({"NOTICE_MAILBOX": "trueup@birchline.example"}, {"mail"}),
    ],
)
def test_each_channel_of_the_settings_that_can_be_asked_is_a_connection(settings, channels):
    found = make_ports(load_settings(SETTINGS | settings)).channels

    assert set(found) == channels
    assert channels < set(setup.KINDS)


def test_the_connections_that_are_tested_are_those_of_the_doctor(house):
    names = [name.casefold() for name in checkup.connections(house.ports).values()]
    assert names[:2] == [check.name.casefold() for check in checkup.check_up(house.ports)][:2]
