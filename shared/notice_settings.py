"""The settings of the notices: reading them, so that every problem is found at once and none shows a value."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from urllib.parse import urlsplit

from shared.billing.subscribers import Channel
from shared.environment import for_example
from shared.given import Given, is_loopback
from shared.notices.settings import NoticeSettings, Security, SmtpSettings

ADDRESS = r"[^\s@<>,;:\"()\[\]\\]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+"
_NAME = r"[a-z0-9][a-z0-9-]{0,30}"
#: Where Microsoft takes what is posted into Teams: workflows, and the older webhooks.
_TEAMS_HOSTS = (".logic.azure.com", ".environment.api.powerplatform.com", ".webhook.office.com")


def read_notices(given: Given, *, in_sandbox: bool) -> Callable[[], NoticeSettings]:
    """Checks the notices' settings and answers how to make them. `in_sandbox`: webhooks may be on this machine."""
    smtp = _smtp(given) if given.any_of("NOTICE_SMTP") else None
    mailbox = given.matching("NOTICE_MAILBOX", ADDRESS, "the address of a mailbox")
    if mailbox and not given.any_of("MICROSOFT_"):
        given.problem("NOTICE_MAILBOX", "is read by Microsoft 365, which is not connected; set the MICROSOFT_ settings")
    teams = _teams(given, in_sandbox)
    console, ends = given.url("NOTICE_CONSOLE_URL") or "", _secrets_end(given)
    alerts = _alerts(given, teams, can_mail=bool(smtp or mailbox))
    return lambda: NoticeSettings(smtp() if smtp is not None else None, mailbox, teams, console, alerts, ends)


def _smtp(given: Given) -> Callable[[], SmtpSettings]:
    server = given.required("NOTICE_SMTP")
    given.matching("NOTICE_SMTP", r"[A-Za-z0-9.-]+:[0-9]{1,5}", "a host name and a port")
    host, _, port = server.partition(":")
    security = given.choice("NOTICE_SMTP_SECURITY", Security, Security.STARTTLS)
    if security is Security.NONE and not is_loopback(host):
        given.problem("NOTICE_SMTP_SECURITY", "may be none on this machine only; use starttls or tls")
    if given.has("NOTICE_SMTP_USERNAME"):
        given.required("NOTICE_SMTP_PASSWORD", " with NOTICE_SMTP_USERNAME")
    else:
        # Templates of 0.2.0 and before refer to a secret in any case, which need not be there.
        given.pass_over("NOTICE_SMTP_PASSWORD")
    username, password = given.text("NOTICE_SMTP_USERNAME"), given.text("NOTICE_SMTP_PASSWORD")
    sender = given.required("NOTICE_SMTP_FROM")
    given.matching("NOTICE_SMTP_FROM", ADDRESS, "a mail address")
    return lambda: SmtpSettings(host, int(port), sender, security, username, password)


def _teams(given: Given, in_sandbox: bool) -> Mapping[str, str]:
    webhooks: dict[str, str] = {}
    for name, url in _pairs(given, "NOTICE_TEAMS"):
        if not re.fullmatch(_NAME, name) or not _is_teams(url, in_sandbox):
            given.problem(
                "NOTICE_TEAMS",
                "must hold names of small letters and digits, each with the https address of a Teams workflow or "
                "webhook at Microsoft: name=address, separated by commas",
            )
        webhooks[name] = url
    return webhooks


def _is_teams(url: str, in_sandbox: bool) -> bool:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if not url.isascii() or not url.isprintable() or parts.username is not None:
        return False
    if in_sandbox and parts.scheme == "http" and is_loopback(host):
        return True
    return parts.scheme == "https" and host.endswith(_TEAMS_HOSTS) and port in (None, 443)


def _alerts(given: Given, teams: Mapping[str, str], *, can_mail: bool) -> tuple[tuple[Channel, str], ...]:
    found: list[tuple[Channel, str]] = []
    for entry in _entries(given, "NOTICE_ALERTS"):
        word, _, to = entry.partition(":")
        if word == Channel.MAIL and re.fullmatch(ADDRESS, to):
            found.append((Channel.MAIL, to))
            if not can_mail:
                given.problem(
                    "NOTICE_ALERTS", "names a mail address, but neither NOTICE_SMTP nor NOTICE_MAILBOX is set"
                )
        elif word == Channel.TEAMS and to in teams:
            found.append((Channel.TEAMS, to))
        else:
            given.problem(
                "NOTICE_ALERTS", f"must be mail addresses and names of NOTICE_TEAMS, {for_example('NOTICE_ALERTS')}"
            )
    return tuple(found)


def _secrets_end(given: Given) -> Mapping[str, date]:
    ends: dict[str, date] = {}
    for name, day in _pairs(given, "NOTICE_SECRETS_END"):
        try:
            ends[name] = date.fromisoformat(day)
        except ValueError:
            ends.clear()
        if not re.fullmatch(_NAME, name) or name not in ends:
            given.problem("NOTICE_SECRETS_END", f"must hold names with a day each, {for_example('NOTICE_SECRETS_END')}")
    return ends


def _pairs(given: Given, name: str) -> list[tuple[str, str]]:
    parts = [entry.partition("=") for entry in _entries(given, name)]
    return [(key.strip(), value.strip()) for key, _, value in parts]


def _entries(given: Given, name: str) -> list[str]:
    return [part.strip() for part in (given.text(name) or "").split(",") if part.strip()]
