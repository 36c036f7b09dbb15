"""The timers that tell people, in a real host over the emulator and the sandbox: mail and tickets arrive, once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.fakes.smtp import Inbox, Server
from tests.integration.house import NIGHT, TWO, House, Json, a_house

CLERK = {"id": "clerk", "channel": "mail", "to": ["clerk@birchline.example"], "hour": 7}
BOARD = {"id": "board", "channel": "ticket", "to": ["Service Desk"], "frequency": "at-once"}
CHANNEL = {"id": "channel", "channel": "teams", "to": ["service-desk"], "frequency": "at-once"}
URGENT = {"id": "urgent", "channel": "mail", "to": ["urgent@birchline.example"], "frequency": "at-once"}


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    inbox = Inbox()
    server = Server(inbox)
    server.start()
    inbox.port = server.port
    yield inbox
    server.stop()


@pytest.fixture
def house(tmp_path: Path, inbox: Inbox) -> Iterator[House]:
    mail = {
        "NOTICE_SMTP": f"127.0.0.1:{inbox.port}",
        "NOTICE_SMTP_FROM": "trueup@birchline.example",
        "NOTICE_SMTP_SECURITY": "none",
        "NOTICE_ALERTS": "mail:desk@birchline.example",
        "NOTICE_CONSOLE_URL": "https://trueup.test/console",
    }
    with a_house(tmp_path, companies=6, **mail) as made:
        made.settings["NOTICE_TEAMS"] = f"service-desk={made.sandbox.url}/teams/workflows/service-desk?sig=of-the-desk"
        yield made


def test_the_morning_after_a_night_the_clerk_has_its_digest_and_the_second_look_sends_nothing(
    house: House, inbox: Inbox
) -> None:
    house.import_rules("auto", notices=[CLERK, URGENT, CHANNEL, BOARD | {"ticket": {"company": house.companies[0]}}])
    house.host()
    house.fire("notices")
    house.start_night()
    house.ended(NIGHT)
    house.clock(TWO + timedelta(hours=5))
    house.fire("notices")
    first, tickets = sorted(mail["To"] for mail in inbox.mails), stamps(house)
    posted = house.control("GET", "teams")
    writes = house.writes()
    house.fire("notices")

    assert sorted(mail["To"] for mail in inbox.mails) == first
    assert first.count("clerk@birchline.example") == 1
    assert first.count("urgent@birchline.example") == 1
    assert [card["channel"] for card in posted["cards"]] == ["service-desk"]
    assert any("customer at pax8" in part for part in posted["cards"][0]["text"])
    assert house.control("GET", "teams") == posted
    assert tickets == stamps(house)
    assert len(tickets) == len(set(tickets)) > 0
    assert house.writes() == writes
    digest = next(mail for mail in inbox.mails if mail["To"] == "clerk@birchline.example")
    text = digest.get_body(("plain",)).get_content()
    # What was written in these minutes is told in the next one; its sums stand in every digest of the month.
    assert "LEAK FOUND IN NOVEMBER 2026" in text
    assert "Raised, from then on" in text
    assert "https://trueup.test/console/companies/" in text
    assert house.ports.company_state.load("msp").findings.keys().isdisjoint({("night-missing", "nightly")})


def stamps(house: House) -> list[str]:
    """What stands in the tickets by which they are found again."""
    return sorted(ticket["externalXRef"] for ticket in house.sandbox.msp.records.all("tickets"))


HEALTH = {"board": "Service Desk", "together_from": 3}
ISSUE = {
    "id": "EX1001",
    "title": "Mail is delayed",
    "posts": [{"at": "2026-11-21T01:30:00Z", "content": "<p>We are looking into it.</p>"}],
}


@pytest.fixture
def microsoft_house(tmp_path: Path) -> Iterator[House]:
    """Mail goes by Graph, from a mailbox of the MSP's own tenant."""
    with a_house(tmp_path, companies=6) as made:
        made.settings["NOTICE_MAILBOX"] = f"trueup@{made.sandbox.msp.partners[0].domain}"
        yield made


def test_service_issues_are_tickets_until_they_are_resolved_and_graph_brings_the_digest(microsoft_house: House) -> None:
    house = microsoft_house
    house.import_rules("auto", notices=[CLERK], service_health=HEALTH | {"ticket": {"company": house.companies[0]}})
    one, readable = house.readable()[0], len(house.readable())
    local = {"id": "EX1002", "title": "One mailbox is slow", "tenants": [house._tenant_id(one)]}
    house.control("PUT", "health", {"issues": [ISSUE, local]})
    house.host()
    house.fire("service_health")
    house.fire("notices")
    house.clock(TWO + timedelta(hours=5))
    house.fire("service_health")
    house.fire("notices")

    assert readable >= HEALTH["together_from"]
    assert sorted((ticket["company"]["id"], ticket["summary"].split()[0]) for ticket in open_tickets(house)) == sorted(
        [(house.companies[0], "EX1001"), (one, "EX1002")]
    )
    (mail,) = house.control("GET", "mails")["mails"]
    assert mail["to"] == ["clerk@birchline.example"]
    assert "TrueUp" in mail["subject"]
    assert mail["text"].startswith("TrueUp, ")
    assert "<h1" in mail["html"]

    house.control("PUT", "health", {})
    house.clock(TWO + timedelta(hours=6))
    house.fire("service_health")

    assert open_tickets(house) == []


def open_tickets(house: House) -> list[Json]:
    return [ticket for ticket in house.sandbox.msp.records.all("tickets") if not ticket["closedFlag"]]
