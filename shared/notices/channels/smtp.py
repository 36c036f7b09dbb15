"""Mail by a mail server.

A crash while a mail is on its way may bring it twice, always with the same Message-ID: mail programs that look at it
show it once.
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from shared.errors import Misconfigured, NotPermitted, Refused, Retryable
from shared.notices.channels.mime import mail_of
from shared.notices.ports import Message
from shared.notices.settings import Security, SmtpSettings

SYSTEM = "mail server"
#: Seconds for the connection and for each answer.
_TIMEOUT = 30
_TAKEN = 250
_LATER = "Nothing to do if it passes; otherwise look at the mail server in NOTICE_SMTP."


class SmtpPost:
    """Sends each message over a connection of its own. `context` says which certificates are trusted."""

    def __init__(
        self, settings: SmtpSettings, now: Callable[[], datetime], *, context: ssl.SSLContext | None = None
    ) -> None:
        self._settings = settings
        self._now = now
        self._context = context

    def send(self, message: Message) -> None:
        """Hands a message to the server.

        Raises `NotPermitted` for a wrong password, `Refused` where the server does not want the mail, `Misconfigured`
        for a certificate that is not trusted, `Retryable` for everything that may pass.
        """
        mail = mail_of(message, self._settings.sender, self._now())
        with _our_errors(), self._connection() as server:
            if self._settings.username is not None:
                server.login(self._settings.username, self._settings.password or "")
            server.send_message(mail)

    def check(self) -> None:
        """Signs in and names whom mail is from, as before a mail, then hangs up. Raises what `send` raises."""
        with _our_errors(), self._connection() as server:
            if self._settings.username is not None:
                server.login(self._settings.username, self._settings.password or "")
            server.ehlo_or_helo_if_needed()
            sender = self._settings.sender
            code, _ = server.mail(sender, () if sender.isascii() else ("SMTPUTF8",))
            server.rset()
        if code != _TAKEN:
            raise _said(code, "the sender")

    def _connection(self) -> smtplib.SMTP:
        settings = self._settings
        context = self._context or ssl.create_default_context()
        if settings.security is Security.TLS:
            return smtplib.SMTP_SSL(settings.host, settings.port, timeout=_TIMEOUT, context=context)
        server = smtplib.SMTP(settings.host, settings.port, timeout=_TIMEOUT)
        if settings.security is Security.STARTTLS:
            try:
                server.starttls(context=context)
            except BaseException:
                server.close()
                raise
        return server


@contextmanager
def _our_errors() -> Iterator[None]:
    """The library's texts are left out: servers quote addresses."""
    try:
        yield
    except smtplib.SMTPAuthenticationError as error:
        raise NotPermitted(
            "the mail server refused user name or password",
            system=SYSTEM,
            status=error.smtp_code,
            remedy="Correct NOTICE_SMTP_USERNAME and NOTICE_SMTP_PASSWORD.",
        ) from None
    except smtplib.SMTPRecipientsRefused as error:
        raise _said(next(code for code, _ in error.recipients.values()), "the address") from None
    except smtplib.SMTPResponseException as error:
        raise _said(error.smtp_code, "the mail") from None
    except smtplib.SMTPNotSupportedError:
        raise Misconfigured(
            [f"{SYSTEM}: it offers no STARTTLS or sign-in; set NOTICE_SMTP_SECURITY as it does."]
        ) from None
    except UnicodeError:  # its own text quotes letters of the password
        raise Misconfigured(
            [
                f"{SYSTEM}: user name or password holds letters beyond ASCII, which this sign-in does not carry; "
                "change NOTICE_SMTP_USERNAME or NOTICE_SMTP_PASSWORD."
            ]
        ) from None
    except ssl.SSLCertVerificationError:
        raise Misconfigured([f"{SYSTEM}: its certificate is not trusted; correct the name in NOTICE_SMTP."]) from None
    except (smtplib.SMTPException, OSError) as error:
        raise Retryable(
            f"the mail server could not be reached or broke off ({type(error).__name__})", system=SYSTEM, remedy=_LATER
        ) from None


def _said(code: int, what: str) -> Refused | Retryable:
    """By the first digit of the server's answer: 4 passes, 5 stays."""
    told = f"the mail server answered {code} to {what}"
    if 400 <= code < 500:
        return Retryable(told, system=SYSTEM, status=code, remedy=_LATER)
    return Refused(told, system=SYSTEM, status=code, remedy="Correct the address in the rules, or NOTICE_SMTP_FROM.")
