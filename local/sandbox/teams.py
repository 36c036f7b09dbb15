"""Teams as far as notices reach it: webhooks of channels, which post the cards that they are sent.

A workflow takes everything and answers 202 at once; what it then cannot post, nobody is told. An older webhook posts
before it answers, and says in words what went wrong.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

PREFIX = "/teams"
#: Bytes that a message may have in a channel.
LARGEST = 28 * 1024


@dataclass(frozen=True, slots=True)
class Card:
    """One card as a channel shows it; `text` holds a part for each block."""

    channel: str
    text: tuple[str, ...]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Block(_Part):
    text: str


class _Content(_Part):
    type: str = Field(pattern="^AdaptiveCard$")
    body: list[_Block] = Field(min_length=1)


class _Attachment(_Part):
    kind: str = Field(alias="contentType", pattern=r"^application/vnd\.microsoft\.card\.adaptive$")
    content: _Content


class _Message(_Part):
    type: str = Field(pattern="^message$")
    attachments: list[_Attachment] = Field(min_length=1, max_length=1)


class Teams:
    """The channels by their names; every name is one. `lost` counts what a workflow took and could not post."""

    def __init__(self) -> None:
        self.cards: list[Card] = []
        self.lost = 0

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post(f"{PREFIX}/workflows/{{name}}", self._workflow),
            web.post(f"{PREFIX}/webhooks/{{name}}", self._webhook),
        ]

    async def _workflow(self, request: web.Request) -> web.Response:
        self.lost += self._post(request.match_info["name"], await request.read()) is not None
        return web.Response(status=202)

    async def _webhook(self, request: web.Request) -> web.Response:
        problem = self._post(request.match_info["name"], await request.read())
        if problem is None:
            return web.Response(text="1")
        told = f"Microsoft Teams endpoint returned HTTP error {problem} with ContextId tcid=0,server=sandbox."
        return web.Response(text=f"Webhook message delivery failed with error: {told}")

    def _post(self, channel: str, body: bytes) -> int | None:
        """Shows a card in the channel. Answers the status with which Teams refuses it, None where it does not."""
        if len(body) > LARGEST:
            return 413
        try:
            message = _Message.model_validate(_json(body))
        except ValidationError:
            return 400
        (card,) = message.attachments
        self.cards.append(Card(channel, tuple(block.text for block in card.content.body)))
        return None


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
