from __future__ import annotations

import pytest

from shared.errors import Incomplete, Misconfigured, NotPermitted, Retryable, TrueUpError
from shared.http.wire import Answer
from shared.manage.call import Call
from shared.manage.client import ADDITIONS
from shared.manage.discovery import base_from, host_of
from shared.manage.session import Session
from tests.unit.fakes_manage import FakeTransport, Request, answer, no, session_of, settings

READ = Call("GET", ADDITIONS, {"agreement": 501})
POST = Call("POST", ADDITIONS, {"agreement": 501}, body={})

COMPANY_INFO = "https://na.myconnectwise.net/login/companyinfo/birchline"


class Cloud:
    """The vendor's cloud: tells which release serves the company, and knows only that one."""

    def __init__(self, codebase: str = "v2026_1/") -> None:
        self.codebase = codebase

    def __call__(self, request: Request) -> Answer:
        if request.url == COMPANY_INFO:
            return answer({"CompanyName": "birchline", "Codebase": self.codebase})
        if request.url.startswith(f"https://api-na.myconnectwise.net/{self.codebase}apis/3.0/"):
            return answer([])
        return no(404, "ConnectWiseApi", "The endpoint does not exist.")


def cloud_session(cloud: Cloud) -> tuple[Session, FakeTransport]:
    session, transport, _ = session_of(handler=cloud, base_url=None, site="na.myconnectwise.net")
    return session, transport


def test_a_site_is_asked_once_for_its_release_and_without_credentials() -> None:
    session, transport = cloud_session(Cloud())
    session.send(READ)
    session.send(READ)
    first, *others = transport.requests
    assert first.url == COMPANY_INFO
    assert not {"Authorization", "clientId"} & set(first.headers)
    assert [request.url for request in others] == [
        "https://api-na.myconnectwise.net/v2026_1/apis/3.0/finance/agreements/501/additions"
    ] * 2


def test_after_an_upgrade_the_release_is_read_again_and_the_call_sent_there() -> None:
    cloud = Cloud()
    session, transport = cloud_session(cloud)
    session.send(READ)
    cloud.codebase = "v2026_2/"
    session.send(POST)
    assert [request.url for request in transport.requests].count(COMPANY_INFO) == 2
    assert "/v2026_2/" in transport.requests[-1].url


def test_a_release_that_another_call_has_found_meanwhile_is_not_looked_up_once_more() -> None:
    cloud = Cloud()
    session, transport = cloud_session(cloud)
    session.send(READ)

    def upgraded_under_way(request: Request) -> Answer:
        transport.handler = cloud
        cloud.codebase = "v2026_2/"
        session.send(READ)
        return no(404, "ConnectWiseApi")

    transport.handler = upgraded_under_way
    session.send(READ)
    assert [request.url for request in transport.requests].count(COMPANY_INFO) == 2


def test_an_unknown_endpoint_of_the_release_still_served_is_not_asked_again() -> None:
    session, transport = cloud_session(Cloud())
    session.send(READ)
    transport.faults.append(no(404, "ConnectWiseApi"))
    with pytest.raises(NotPermitted, match="404"):
        session.send(READ)
    assert [request.method for request in transport.requests] == ["GET"] * 4


def test_a_missing_record_does_not_look_for_another_release() -> None:
    session, transport = cloud_session(Cloud())
    session.send(READ)
    transport.faults.append(no(404, "NotFound"))
    with pytest.raises(TrueUpError):
        session.send(READ)
    assert len(transport.requests) == 3


@pytest.mark.parametrize("unknown", [answer("null"), no(404)])
def test_an_unknown_company_is_a_matter_of_the_settings(unknown: Answer) -> None:
    session, transport = cloud_session(Cloud())
    transport.faults.append(unknown)
    with pytest.raises(Misconfigured, match="does not know the company 'birchline'"):
        session.send(READ)


def test_a_site_that_cannot_be_asked_now_is_asked_again_later() -> None:
    session, transport = cloud_session(Cloud())
    transport.faults += [no(503)] * 4
    with pytest.raises(Retryable):
        session.send(READ)
    assert session.send(READ).ok


@pytest.mark.parametrize("info", [{}, [], "x", {"Codebase": ""}, {"Codebase": "evil.test/x"}, {"Codebase": "a@b"}])
def test_a_strange_release_is_never_made_into_an_address(info: object) -> None:
    with pytest.raises(Incomplete):
        base_from("na.myconnectwise.net", "birchline", info)


@pytest.mark.parametrize(
    ("site", "base"),
    [
        ("eu.myconnectwise.net", "https://api-eu.myconnectwise.net/v4_6_release/apis/3.0"),
        ("api-eu.myconnectwise.net", "https://api-eu.myconnectwise.net/v4_6_release/apis/3.0"),
        ("staging.connectwisedev.com", "https://api-staging.connectwisedev.com/v4_6_release/apis/3.0"),
        ("manage.birchline.test:8443", "https://manage.birchline.test:8443/v4_6_release/apis/3.0"),
    ],
)
def test_the_clouds_api_has_a_name_of_its_own(site: str, base: str) -> None:
    assert base_from(site, "birchline", {"Codebase": "v4_6_release/"}) == base


@pytest.mark.parametrize(
    ("named", "host"),
    [
        ({"site": "NA.myconnectwise.net"}, "na.myconnectwise.net"),
        ({"site": "api-na.myconnectwise.net"}, "na.myconnectwise.net"),
        ({"base_url": "https://api-na.myconnectwise.net/v4_6_release/apis/3.0"}, "na.myconnectwise.net"),
        ({"base_url": "https://api-eu.myconnectwise.net/v4_6_release/apis/3.0"}, "eu.myconnectwise.net"),
        ({"site": "Manage.birchline.example:8443"}, "manage.birchline.example"),
        (
            {"base_url": "https://api-manage.birchline.example:8443/v4_6_release/apis/3.0"},
            "api-manage.birchline.example",
        ),
    ],
)
def test_a_manage_has_one_host_however_the_settings_name_it(named: dict[str, str], host: str) -> None:
    assert host_of(settings(**{"base_url": None, "site": None, **named})) == host
