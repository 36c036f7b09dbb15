"""A notice as a mail: plain text and HTML side by side."""

from __future__ import annotations

import hashlib
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime

from shared.notices.ports import Message


def mail_of(message: Message, sender: str, now: datetime) -> EmailMessage:
    """The mail that brings a message. Its id is the same for the same notice, however often it is sent."""
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = message.to
    mail["Subject"] = message.subject
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = _message_id(message.id, sender)
    mail["X-TrueUp-Notice"] = message.id
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text)
    mail.add_alternative(message.html, subtype="html")
    return mail


def _message_id(id_: str, sender: str) -> str:
    return f"<{hashlib.sha256(id_.encode()).hexdigest()[:32]}@{sender.rpartition('@')[2]}>"
