"""Callbacks from Manage: believed only when the signature over their raw bytes is right, then read tolerantly."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.callbacks import Callback
from shared.errors import Refused
from shared.manage.callback_keys import SigningKeys
from shared.manage.failures import SYSTEM
from shared.manage.rows import Id, Text, Unreadable, parsed

_SIGNATURE_BYTES = hashlib.sha256().digest_size
#: Manage's record ids have at most so many digits.
_DIGITS = 10


class _Metadata(BaseModel):
    key_url: str = Field(max_length=1000)


class _Message(BaseModel):
    """The fields that count; Manage sends more, and may send others tomorrow."""

    model_config = ConfigDict(extra="ignore")

    type: str = Field(alias="Type", min_length=1, max_length=40)
    id: Annotated[Id, Field(alias="ID", gt=0, lt=10**_DIGITS)]
    message: Text = Field(alias="MessageId", default="", max_length=100)
    company: Text = Field(alias="CompanyId", default="")
    member: Text = Field(alias="MemberId", default="", max_length=100)
    entity: Any = Field(alias="Entity", default=None)
    metadata: _Metadata = Field(alias="Metadata")


class CallbackReader:
    """Reads what was sent to us as Manage's callback."""

    def __init__(self, keys: SigningKeys, company: str) -> None:
        """`company` is what is typed as Company at the login."""
        self._keys = keys
        self._company = company

    def read(self, body: bytes, signature: str) -> Callback:
        """The callback in a raw body with the text of its signature header.

        Raises `Refused` for everything that is not a genuine callback of our company, `Retryable` when that cannot be
        found out now. Neither quotes what was sent.
        """
        given = _signature(signature)
        message = _message(body)
        digest = hmac.new(self._keys.of(message.metadata.key_url), body, hashlib.sha256).digest()
        if not hmac.compare_digest(digest, given):
            raise Refused("the signature is not the one of this body", system=SYSTEM)
        if message.company and message.company.casefold() != self._company.casefold():
            raise Refused("the callback is of another company's Manage", system=SYSTEM)
        kind = message.type.lower()
        name = message.message or hashlib.sha256(body).hexdigest()
        return Callback(name, kind, message.id, _company(kind, message), message.member)


def _signature(text: str) -> bytes:
    try:
        given = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        given = b""
    if len(given) != _SIGNATURE_BYTES:
        raise Refused("the signature is missing or malformed", system=SYSTEM)
    return given


def _message(body: bytes) -> _Message:
    try:
        return _Message.model_validate(parsed(body.decode()))
    except (Unreadable, ValidationError, UnicodeDecodeError):
        raise Refused("the body is not a callback", system=SYSTEM) from None


def _company(kind: str, message: _Message) -> int | None:
    """The company of the record. The entity is a summary, as text; of a deleted record there is none."""
    if kind == "company":
        return message.id
    if kind != "agreement" or not isinstance(message.entity, str):
        return None
    try:
        entity = parsed(message.entity)
    except Unreadable:
        return None
    company = entity.get("company") if isinstance(entity, dict) else None
    found = company.get("id") if isinstance(company, dict) else None
    return found if type(found) is int and 0 < found < 10**_DIGITS else None
