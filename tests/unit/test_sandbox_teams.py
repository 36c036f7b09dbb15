"""The sandbox's Teams, and our cards before it: what is posted, what is lost, what has to be sent again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from local.sandbox.running import SandboxThread
from local.sandbox.server import Options
from local.sandbox.teams import LARGEST
from shared.errors import Retryable
from shared.notices.channels.teams import TeamsPost
from shared.notices.ports import Message


@pytest.fixture(scope="module")
def running() -> Iterator[SandboxThread]:
    with SandboxThread(Options(companies=1)) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: SandboxThread) -> Iterator[SandboxThread]:
    teams = running.running.sandbox.teams
    teams.cards.clear()
    teams.lost = 0
    yield running
    requests.put(f"{running.url}/_sandbox/faults", json=[], timeout=10)


def post(sandbox: SandboxThread, kind: str) -> TeamsPost:
    return TeamsPost({"desk": f"{sandbox.url}/teams/{kind}/desk?sig=hush"})


def told_by(sandbox: SandboxThread) -> dict[str, Any]:
    return requests.get(f"{sandbox.url}/_sandbox/teams", timeout=10).json()


def cards(sandbox: SandboxThread) -> list[dict[str, Any]]:
    return told_by(sandbox)["cards"]


def faulty(sandbox: SandboxThread, fault: str) -> None:
    faults = [{"system": "teams", "fault": fault, "count": 1}]
    assert requests.put(f"{sandbox.url}/_sandbox/faults", json=faults, timeout=10).ok


@pytest.mark.parametrize("kind", ["workflows", "webhooks"])
def test_a_card_stands_in_its_channel(sandbox, kind):
    post(sandbox, kind).send(Message("id", "desk", "A night is missing", "One\n\nTwo – €", ""))

    assert cards(sandbox) == [{"channel": "desk", "text": ["A night is missing", "One", "Two – €"]}]


@pytest.mark.parametrize("line", ["x" * 80, "–" * 80, "x\n"], ids=["letters", "six bytes each", "paragraphs"])
def test_no_notice_is_so_long_that_a_workflow_loses_it(sandbox, line):
    text = "\n".join(line for _ in range(5000))

    post(sandbox, "workflows").send(Message("id", "desk", "TrueUp", text, ""))

    (card,) = cards(sandbox)
    assert "more lines do not fit here" in card["text"][-1]
    assert told_by(sandbox)["lost"] == 0


def test_what_is_too_large_is_lost_by_a_workflow_without_a_word_and_refused_by_a_webhook_in_words(sandbox):
    block = {"type": "TextBlock", "text": "x" * LARGEST}
    content = {"type": "AdaptiveCard", "version": "1.4", "body": [block]}
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": content}
    body = json.dumps({"type": "message", "attachments": [attachment]})

    taken = requests.post(f"{sandbox.url}/teams/workflows/desk", data=body, timeout=10)
    told = requests.post(f"{sandbox.url}/teams/webhooks/desk", data=body, timeout=10)

    assert (taken.status_code, told_by(sandbox)["lost"]) == (202, 1)
    assert (told.status_code, "returned HTTP error 413" in told.text) == (200, True)
    assert cards(sandbox) == []


def test_a_channel_that_gets_too_much_is_left_in_peace_for_as_long_as_it_says(sandbox):
    faulty(sandbox, "429:7")
    with pytest.raises(Retryable) as later:
        post(sandbox, "workflows").send(Message("id", "desk", "Later", "", ""))

    post(sandbox, "workflows").send(Message("id", "desk", "Now", "", ""))

    assert later.value.retry_after == 7
    assert [card["text"][0] for card in cards(sandbox)] == ["Now"]
    assert "hush" not in str(later.value) + later.value.remedy


def test_a_card_whose_answer_was_lost_may_stand_there_and_is_told_as_not_sent(sandbox):
    faulty(sandbox, "reset-after")

    with pytest.raises(Retryable):
        post(sandbox, "webhooks").send(Message("id", "desk", "Once or twice", "", ""))

    assert len(cards(sandbox)) == 1
