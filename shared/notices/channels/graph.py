"""Mail from a mailbox of the MSP's own tenant. A crash while a mail is on its way may bring it twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from email.policy import SMTP
from typing import Protocol

from shared.notices.channels.mime import mail_of
from shared.notices.ports import Message


class Mailbox(Protocol):
    """A mailbox that can send."""

    @property
    def address(self) -> str:
        """Whom its mails are from."""

    def send(self, mail: bytes, /) -> None: ...

    def check(self) -> None: ...


class GraphPost:
    """Sends each message from the mailbox."""

    def __init__(self, mailbox: Mailbox, now: Callable[[], datetime]) -> None:
        self._mailbox = mailbox
        self._now = now

    def send(self, message: Message) -> None:
        """Hands a message to Microsoft Graph. Raises what the mailbox raises."""
        self._mailbox.send(mail_of(message, self._mailbox.address, self._now()).as_bytes(policy=SMTP))

    def check(self) -> None:
        """Whether the app is let in. Raises what the mailbox raises."""
        self._mailbox.check()
