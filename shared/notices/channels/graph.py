"""Mail from a mailbox of the MSP's own tenant. A crash while a mail is on its way may bring it twice."""

from __future__ import annotations

from typing import Protocol

from shared.notices.ports import Message


class Mailbox(Protocol):
    """A mailbox that can send."""

    def send(self, to: str, subject: str, html: str, id_: str) -> None: ...

    def check(self) -> None: ...


class GraphPost:
    """Sends each message from the mailbox."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    def send(self, message: Message) -> None:
        """Hands a message to Microsoft Graph. Raises what the mailbox raises."""
        self._mailbox.send(message.to, message.subject, message.html, message.id)

    def check(self) -> None:
        """Whether the app is let in. Raises what the mailbox raises."""
        self._mailbox.check()
