"""Manage's callbacks: signed as Manage signs them, also forged, late and twice, to whoever registered for them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import uuid
from typing import Any, Literal
from urllib.parse import urlsplit

from aiohttp import ClientError, ClientSession, ClientTimeout, web
from pydantic import BaseModel, ConfigDict, Field

from local.sandbox.manage import agreements
from local.sandbox.manage.app import CODEBASE
from local.sandbox.manage.instance import Instance
from shared.errors import Refused
from shared.given import is_loopback

#: Where a receiver finds the key that the body names.
KEY_PATH = f"/{CODEBASE}system/callbackkey/index.rails"
_COLLECTIONS = {"agreement": "agreements", "company": "companies", "productcatalog": "catalog"}
_TIMEOUT = ClientTimeout(total=10)


class Sending(BaseModel):
    """What to send: the callback of one record, so often, after so many milliseconds, signed with a wrong key.

    `member` is the login of who changed the record.
    """

    model_config = ConfigDict(extra="forbid")

    type: Literal["agreement", "company", "productcatalog"]
    id: int
    action: Literal["added", "updated", "deleted"] = "updated"
    times: int = Field(default=1, ge=1, le=100)
    delay_ms: int = Field(default=0, ge=0, le=10_000)
    forged: bool = False
    member: str = "apisync"
    url: str | None = None


class Callbacks:
    """Sends the callbacks of one Manage, and gives out the key that they are signed with."""

    def __init__(self, instance: Instance, company: str) -> None:
        self._instance = instance
        self._company = company
        self._key = uuid.uuid5(uuid.NAMESPACE_URL, company).hex

    def routes(self) -> list[web.RouteDef]:
        return [web.get(KEY_PATH, self._signing_key)]

    async def send(self, sending: Sending, base: str) -> dict[str, Any]:
        """Sends it and tells how each receiver answered; status null for one that did not. To this machine only.

        `base` is Manage's TLS address, under which receivers look up the signing key.
        """
        await asyncio.sleep(sending.delay_ms / 1000)
        body = json.dumps(self._body(sending, base)).encode()
        headers = {"content-type": "application/json", "x-content-signature": self._signature(body, sending.forged)}
        sent = []
        async with ClientSession(timeout=_TIMEOUT) as session:
            for url in self._receivers(sending):
                for _ in range(sending.times):
                    sent.append({"url": url, "status": await _post(session, url, body, headers)})
        return {"sent": sent}

    async def _signing_key(self, _: web.Request) -> web.Response:
        return web.json_response({"signing_key": self._key})

    def _receivers(self, sending: Sending) -> list[str]:
        registered = [
            entry["url"]
            for entry in self._instance.records.all("callbacks")
            if entry.get("type") == sending.type and not entry.get("inactiveFlag")
        ]
        urls = [f"{url}{sending.id}" for url in ([sending.url] if sending.url is not None else registered)]
        for url in urls:
            if not is_loopback(urlsplit(url).hostname or ""):
                raise Refused(f"the sandbox sends to this machine only, not to {url}", system="sandbox")
        return urls

    def _body(self, sending: Sending, base: str) -> dict[str, Any]:
        record = self._instance.records.get(_COLLECTIONS[sending.type], sending.id)
        if record is not None and sending.type == "agreement":
            record = agreements.view(self._instance, record)
        gone = sending.action == "deleted" or record is None
        return {
            "Action": sending.action,
            "Type": sending.type,
            "ID": sending.id,
            "CompanyId": self._company,
            "MemberId": sending.member,
            "FromUrl": urlsplit(base).netloc,
            "Entity": None if gone else json.dumps(record),
            "Metadata": {"key_url": f"{base}{KEY_PATH}?companyName={self._company}&id={uuid.uuid4()}"},
            "MessageId": str(uuid.uuid4()),
        }

    def _signature(self, body: bytes, forged: bool) -> str:
        key = hashlib.sha256(("forged" if forged else self._key).encode()).digest()
        return base64.b64encode(hmac.new(key, body, hashlib.sha256).digest()).decode()


async def _post(session: ClientSession, url: str, body: bytes, headers: dict[str, str]) -> int | None:
    try:
        async with session.post(url, data=body, headers=headers) as answer:
            return answer.status
    except (ClientError, TimeoutError):
        return None
