"""Mailboxes that the app may send from: what was sent, as the receivers have it."""

from __future__ import annotations

import base64
import binascii
import email
from dataclasses import dataclass
from email.policy import default

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from local.sandbox.graph.reads import GraphProblem
from local.sandbox.world import Msp, Tenant

_MOST_HEADERS = 5


@dataclass(frozen=True, slots=True)
class SentMail:
    """One mail that Graph has taken."""

    sender: str
    to: tuple[str, ...]
    subject: str
    html: str
    text: str
    headers: dict[str, str]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class _Address(_Part):
    address: str


class _Recipient(_Part):
    email: _Address = Field(alias="emailAddress")


class _Header(_Part):
    name: str
    value: str


class _Body(_Part):
    kind: str = Field(alias="contentType")
    content: str


class _Message(_Part):
    subject: str
    body: _Body
    to: list[_Recipient] = Field(alias="toRecipients", min_length=1)
    headers: list[_Header] = Field(alias="internetMessageHeaders", default=[], max_length=_MOST_HEADERS)


class _Sending(_Part):
    message: _Message
    save: bool = Field(alias="saveToSentItems", default=True)


class PostOffice:
    """Takes mail of the first partner tenant's mailboxes; nowhere else the app has the role."""

    def __init__(self, msp: Msp) -> None:
        self._msp = msp
        self.sent: list[SentMail] = []

    def send(self, tenant: Tenant, mailbox: str, kind: str, body: str) -> None:
        """Takes JSON, or MIME in base64, by the request's content type. Raises `GraphProblem` as Graph would refuse."""
        if tenant.id != self._msp.partners[0].id:
            raise GraphProblem(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
        if not mailbox.casefold().endswith(f"@{self._msp.partners[0].domain}"):
            raise GraphProblem(404, "ErrorInvalidUser", "The requested user is invalid.")
        self.sent.append(_from_json(mailbox, body) if kind == "application/json" else _from_mime(mailbox, body))


def _from_json(mailbox: str, body: str) -> SentMail:
    """One body only: HTML, or text."""
    try:
        message = _Sending.model_validate_json(body).message
    except ValidationError:
        raise GraphProblem(400, "RequestBodyRead", "The request body is malformed.") from None
    if any(not header.name.casefold().startswith("x-") for header in message.headers):
        raise GraphProblem(400, "InvalidInternetMessageHeader", "The header name should start with 'x-'.")
    receivers = tuple(each.email.address for each in message.to)
    headers = {header.name: header.value for header in message.headers}
    return SentMail(mailbox, receivers, message.subject, message.body.content, "", headers)


def _from_mime(mailbox: str, body: str) -> SentMail:
    try:
        mail = email.message_from_bytes(base64.b64decode(body, validate=True), policy=default)
    except binascii.Error:
        problem = "Invalid base64 string for MIME content."
        raise GraphProblem(400, "ErrorMimeContentInvalidBase64String", problem) from None
    receivers = tuple(each.addr_spec for each in mail["To"].addresses) if "To" in mail else ()
    if not receivers:
        raise GraphProblem(400, "ErrorInvalidRecipients", "At least one recipient is not valid.")
    if mailbox.casefold() not in [each.addr_spec.casefold() for each in mail["From"].addresses]:
        raise GraphProblem(403, "ErrorSendAsDenied", "The user account which was used to submit this request may not.")
    bodies = {kind: mail.get_body((kind,)) for kind in ("html", "plain")}
    html, text = (part.get_content() if part is not None else "" for part in bodies.values())
    return SentMail(mailbox, receivers, mail["Subject"], html, text, dict(mail.items()))
