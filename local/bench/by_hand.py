"""Runs that are worked in this process, one company after the other, without the functions host.

The flows, the tables and the made-up systems are those of every night; only nobody waits for queues and lanes.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from shared.queues import SyncMessage
from shared.sync import lanes
from shared.sync.demand import sync_in_run
from shared.sync.fleets import read_fleets
from shared.sync.ports import Ports


@dataclass
class _Pile:
    """A queue that is worked by hand."""

    messages: list[SyncMessage] = field(default_factory=list)

    def send(self, message: SyncMessage, *, delay: int = 0) -> None:  # noqa: ARG002
        self.messages.append(message)

    def send_poison(self, text: str) -> None:
        raise AssertionError(text)


def worked(ports: Ports, hands: int = 1) -> Iterator[SyncMessage]:
    """Starts a run over every linked company, and works it to its end: each message is given once it was worked on.

    As in a night, the vendors that tell of all customers at once are read before. `hands` are threads that work side by
    side; one works on nothing before the caller has taken the message before.
    """
    pile = _Pile()
    ports = replace(ports, queue=pile)
    read_fleets(ports)
    sync_in_run(ports, None, None)
    return _worked(ports, pile, hands)


def _worked(ports: Ports, pile: _Pile, hands: int) -> Iterator[SyncMessage]:
    def work(message: SyncMessage) -> SyncMessage:
        lanes.work(ports, message, 1)
        return message

    with ThreadPoolExecutor(hands) as threads:
        while pile.messages:
            batch, pile.messages = pile.messages, []
            yield from threads.map(work, batch) if hands > 1 else map(work, batch)
