"""A mail server on this machine that keeps what it is given."""

from __future__ import annotations

import email
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller


@dataclass
class Inbox:
    """Takes mail, or answers every sender and every recipient as it is told."""

    answer: str = "250 OK"
    answer_to_sender: str = "250 OK"
    mails: list[EmailMessage] = field(default_factory=list)
    secure: list[bool] = field(default_factory=list)
    port: int = 0

    async def handle_MAIL(self, server, session, envelope, address, options):  # noqa: N802 (the library's name)
        envelope.mail_from = address
        return self.answer_to_sender

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802 (the library's name)
        if self.answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.answer

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 (the library's name)
        self.mails.append(email.message_from_bytes(envelope.content, policy=default))
        self.secure.append(session.ssl is not None)
        return "250 OK"


class Server(Controller):
    """A mail server on this machine; `tls` is its certificate."""

    def __init__(self, inbox: Inbox, **options: Any) -> None:
        super().__init__(inbox, hostname="127.0.0.1", port=0, ready_timeout=20, server_hostname="mail.test", **options)

    def _trigger_server(self) -> None:
        """The port is known only now."""
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()
