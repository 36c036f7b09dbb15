"""One round of the watch and of telling, and the alarm for when not even that can be done."""

from __future__ import annotations

import logging
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
_SUBJECT = "TrueUp cannot reach its storage"


@dataclass
class Alarm:
    """When the alarm rang last, as far as this process knows: with the storage away there is no other memory."""

    rang: datetime | None = None

    def go_round(self, ports: NoticePorts) -> None:
        """Looks, tells what is due, and rings where the storage does not let us: straight to the alerts.

        Raises nothing of the error tree: the next round comes by itself.
        """
        try:
            watch(ports)
            tell(ports)
        except TrueUpError as error:
            log.error("the round of the watch broke off: %s", error)
            self._ring(ports, error)
        else:
            self.rang = None

    def _ring(self, ports: NoticePorts, error: TrueUpError) -> None:
        now = ports.flows.clock.now()
        if self.rang is not None and now - self.rang < RINGS_AGAIN_AFTER:
            return
        text = (
            f"{_SUBJECT}: {error}. {error.remedy}\n\n"
            "Nothing is read, billed or told until it is back; then everything goes on where it stopped."
        )
        for channel, to in ports.alerts:
            message = Message(f"alarm/{now:%Y-%m-%dT%H}", to, _SUBJECT, text, _html(text))
            try:
                post(ports, channel, message)
            except TrueUpError as failure:
                log.error("the alarm did not reach %s: %s", channel.value, failure)
            else:
                self.rang = now


def _html(text: str) -> str:
    from markupsafe import escape

    return "".join(f"<p>{escape(part)}</p>" for part in text.split("\n\n"))
