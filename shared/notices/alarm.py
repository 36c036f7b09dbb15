"""One round of the watch and of telling, and the alarm for when one of them cannot be done."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.errors import TrueUpError
from shared.notices.outbox import post
from shared.notices.ports import Message, NoticePorts
from shared.notices.telling import tell
from shared.notices.watch import watch

log = logging.getLogger(__name__)

#: The alarm rings again after so long while nothing has changed.
RINGS_AGAIN_AFTER = timedelta(hours=1)
_CANNOT_TELL = "TrueUp cannot reach its storage"
_CANNOT_WATCH = "TrueUp cannot watch itself"
_MEANWHILE = {
    _CANNOT_TELL: "Nothing is read, billed or told until it is back; then everything goes on where it stopped.",
    _CANNOT_WATCH: "What is known already is told as ever; what the watch looks for is not until it can.",
}


@dataclass
class Alarm:
    """What the alarm rang for last and when, as far as this process knows: with the storage away nothing else does."""

    rang: tuple[str, datetime] | None = None

    def go_round(self, ports: NoticePorts) -> None:
        """Looks, tells what is due, and rings where either cannot be done: straight to the alerts.

        A watch that breaks off keeps nobody from being told. Raises nothing of the error tree: the next round comes by
        itself.
        """
        parts: dict[str, Callable[[NoticePorts], object]] = {_CANNOT_WATCH: watch, _CANNOT_TELL: tell}
        failed = {subject: error for subject, part in parts.items() if (error := _failure(part, ports)) is not None}
        for subject, error in failed.items():
            log.error("%s: %s", subject, error)
        if failed:
            self._ring(ports, *failed.popitem())  # the last one: that nobody is told is worse
        else:
            self.rang = None

    def _ring(self, ports: NoticePorts, subject: str, error: TrueUpError) -> None:
        now = ports.flows.clock.now()
        if self.rang is not None and self.rang[0] == subject and now - self.rang[1] < RINGS_AGAIN_AFTER:
            return
        text = f"{subject}: {error}. {error.remedy}\n\n{_MEANWHILE[subject]}"
        for channel, to in ports.alerts:
            message = Message(f"alarm/{now:%Y-%m-%dT%H}/{subject}", to, subject, text, _html(text))
            try:
                post(ports, channel, message)
            except TrueUpError as failure:
                log.error("the alarm did not reach %s: %s", channel.value, failure)
            else:
                self.rang = subject, now


def _failure(part: Callable[[NoticePorts], object], ports: NoticePorts) -> TrueUpError | None:
    """What kept a part of the round from being done, if anything did."""
    try:
        part(ports)
    except TrueUpError as error:
        return error
    return None


def _html(text: str) -> str:
    from markupsafe import escape

    return "".join(f"<p>{escape(part)}</p>" for part in text.split("\n\n"))
