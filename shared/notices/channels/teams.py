"""A card in Teams, by a workflow or webhook. Nobody can look whether one is there: after a crash it may come twice."""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from shared.errors import Misconfigured, NotPermitted, Refused, Retryable, TrueUpError
from shared.http.waiting import retry_after
from shared.http.wire import Answer, NoAnswer, RequestsTransport, Transport
from shared.notices.ports import Message

SYSTEM = "Teams"
#: Letters, and bytes as JSON. Teams takes 28 KB, which a workflow makes of a sixth less; what is larger it takes, and
#: then loses without a word.
LONGEST_TEXT = 9_000
LARGEST_BODY = 22_000
_TIMEOUT = 30.0
_LATER = "Nothing to do if it passes; otherwise look at the workflow in Teams."
#: Older webhooks answer 200 and say in words that Teams did not take it.
_NOT_TAKEN = "returned HTTP error"
#: What a card reads as Markdown; addresses, which it makes links of, stay as they are.
_MARKDOWN = re.compile(r"(https?://[^\s\[\]()*\\]+)|([\[\]*_\\])")


class TeamsPost:
    """Posts to webhooks by their names."""

    def __init__(self, webhooks: Mapping[str, str], *, transport: Transport | None = None) -> None:
        self._webhooks = webhooks
        self._transport = transport or RequestsTransport(SYSTEM, largest=100_000)

    def send(self, message: Message) -> None:
        """Posts a message as a card. `message.to` is the name of a webhook.

        Raises `Misconfigured` for a name that nobody set, `NotPermitted` or `Refused` where the webhook does not want
        it, `Retryable` for everything that may pass.
        """
        if message.to not in self._webhooks:
            raise Misconfigured(
                [f"NOTICE_TEAMS: has no {message.to}, which the rules name; add it or correct the rules"]
            )
        body = json.dumps(_card(message)).encode()
        headers = {"Content-Type": "application/json"}
        try:
            answer = self._transport.send(
                "POST", self._webhooks[message.to], headers=headers, body=body, timeout=_TIMEOUT
            )
        except NoAnswer as missing:
            raise Retryable(f"Teams gave no answer: {missing.reason}", system=SYSTEM, remedy=_LATER) from None
        if not answer.ok or _NOT_TAKEN in answer.text:
            raise _refusal(message.to, answer)


def shortened(text: str) -> str:
    """As many whole lines as a card takes; what is left out is said."""
    if _fits(text):
        return text
    lines = text.split("\n")
    most = bisect_left(range(len(lines)), True, key=lambda kept: not _fits("\n".join(lines[:kept]))) - 1
    kept = "\n".join(lines[:most])
    return f"{kept}\n\n… {len(lines) - most} more lines do not fit here; the console shows everything."


def _fits(text: str) -> bool:
    return len(text) <= LONGEST_TEXT and len(json.dumps(_blocks(text))) <= LARGEST_BODY


def _card(message: Message) -> dict[str, Any]:
    content = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [_block(message.subject, weight="Bolder"), *_blocks(shortened(message.text))],
    }
    card = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": content}
    return {"type": "message", "attachments": [card]}


def _blocks(text: str) -> list[dict[str, Any]]:
    """One for each paragraph. One line break is none in a card."""
    return [_block(part.replace("\n", "\n\n")) for part in text.split("\n\n") if part.strip()]


def _block(text: str, **more: object) -> dict[str, Any]:
    plain = _MARKDOWN.sub(lambda found: found[1] or f"\\{found[2]}", text)
    return {"type": "TextBlock", "text": plain, "wrap": True, **more}


def _refusal(name: str, answer: Answer) -> TrueUpError:
    said = f"the webhook {name} answered {answer.status}"
    if answer.ok or answer.status in {408, 429} or answer.status >= 500:
        wait = retry_after(answer, datetime.now(UTC))
        return Retryable(said, system=SYSTEM, status=answer.status, retry_after=wait, remedy=_LATER)
    remedy = f"Make the workflow anew in Teams and set its address for {name} in NOTICE_TEAMS."
    kind = NotPermitted if answer.status in {401, 403} else Refused
    return kind(said, system=SYSTEM, status=answer.status, remedy=remedy)
