"""What the channels need to know. Who is told what stands in the rules; secrets only here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from shared.billing.subscribers import Channel


class Security(StrEnum):
    """How the connection to the mail server is kept secret; `none` is for this machine only."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


@dataclass(frozen=True)
class SmtpSettings:
    """A mail server that takes our mail, and whom it is from."""

    host: str
    port: int
    sender: str
    security: Security = Security.STARTTLS
    username: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class NoticeSettings:
    """The channels that are set up: see `NoticePorts` for the rest. `teams` are webhooks by name, each a secret."""

    smtp: SmtpSettings | None = None
    mailbox: str | None = None
    teams: Mapping[str, str] = field(default_factory=dict, repr=False)
    console: str = ""
    alerts: tuple[tuple[Channel, str], ...] = ()
    secrets_end: Mapping[str, date] = field(default_factory=dict)
