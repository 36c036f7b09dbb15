"""Tickets against the sandbox's Manage, over HTTP: found by their stamp, noted, closed, opened again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from local.sandbox.manage.tickets import add_service_board
from shared.errors import Gone, NoEffect, OutcomeUnknown, Refused
from shared.manage.client import ManageClient
from shared.manage.tickets import ManageTickets
from shared.tickets import NewTicket
from tests.unit.fakes_manage import RESET, FakeTransport, settings
from tests.unit.sandbox_manage import NOW, RunningManage, served, small_msp

NEW = NewTicket("TUF-abc", "TrueUp, Larkhill Dental: not mapped", "What to do", 250, "Service Desk", "New")


@pytest.fixture
def manage() -> Iterator[RunningManage]:
    records = small_msp()
    add_service_board(lambda collection, record: records.add(collection, record, now=NOW))
    with served(records) as running:
        yield running


@pytest.fixture
def tickets(manage: RunningManage) -> ManageTickets:
    return manage.client.tickets


def test_a_ticket_is_opened_and_found_again_by_its_stamp(manage, tickets):
    opened = tickets.open(NEW)

    assert tickets.stamped("TUF-abc") == [opened]
    assert tickets.stamped("TUF-other") == []
    record = manage.get(f"service/tickets/{opened.id}")
    assert (record["board"]["name"], record["status"]["name"], record["company"]["id"]) == ("Service Desk", "New", 250)
    assert record["initialInternalAnalysis"] == "What to do"
    assert record["automaticEmailContactFlag"] is False


def test_a_ticket_has_the_type_and_priority_that_are_named_and_mails_nobody(manage, tickets):
    opened = tickets.open(replace(NEW, type="Billing", priority="Priority 2 - Soon"))
    plain = tickets.open(NEW)

    record = manage.get(f"service/tickets/{opened.id}")
    assert (record["type"]["name"], record["priority"]["name"]) == ("Billing", "Priority 2 - Soon")
    mails = [f"automaticEmail{whom}Flag" for whom in ("Contact", "Resource", "Cc")]
    assert [record[flag] for flag in mails] == [False] * 3
    assert not {"type", "priority"} & manage.get(f"service/tickets/{plain.id}").keys()


def test_notes_are_internal_and_read_back(manage, tickets):
    opened = tickets.open(NEW)

    tickets.add_note(opened.id, "This has healed.")

    assert tickets.notes(opened.id) == ["This has healed."]
    (note,) = manage.get(f"service/tickets/{opened.id}/notes")
    assert (note["internalAnalysisFlag"], note["detailDescriptionFlag"]) == (True, False)
    assert note["processNotifications"] is False


def test_a_ticket_is_closed_and_opened_again(tickets):
    opened = tickets.open(NEW)

    tickets.set_status(opened.id, "Closed", closed=True)
    assert tickets.ticket(opened.id).closed

    tickets.set_status(opened.id, "New", closed=False)
    assert not tickets.ticket(opened.id).closed


def test_a_status_that_does_not_close_is_told(tickets):
    opened = tickets.open(NEW)

    with pytest.raises(NoEffect, match="with status In Progress the ticket is open"):
        tickets.set_status(opened.id, "In Progress", closed=True)


def test_a_write_without_effect_is_told(manage, tickets):
    opened = tickets.open(NEW)
    manage.fault = "no-effect"

    with pytest.raises(NoEffect):
        tickets.set_status(opened.id, "Closed", closed=True)


@pytest.mark.parametrize(
    "wrong", [{"board": "No Such Board"}, {"status": "Nonsense"}, {"company": 9999}, {"summary": "x" * 101}]
)
def test_what_manage_does_not_know_is_refused_and_opens_nothing(manage, tickets, wrong):
    fields = {name: getattr(NEW, name) for name in ("stamp", "summary", "text", "company", "board", "status")}

    with pytest.raises(Refused):
        tickets.open(NewTicket(**fields | wrong))

    assert manage.get("service/tickets") == []


def test_a_ticket_that_was_deleted_is_gone(tickets):
    with pytest.raises(Gone):
        tickets.ticket(4711)


def test_the_opening_of_a_ticket_is_never_sent_twice():
    manage = FakeTransport(lambda request: RESET)

    with pytest.raises(OutcomeUnknown):
        ManageClient(settings(), transport=manage, pause=lambda seconds: None).tickets.open(NEW)

    assert len(manage.requests) == 1
