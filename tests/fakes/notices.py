"""Channels that remember what they were given, and the fake house with people who are told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from shared.billing.rules import Rules
from shared.billing.subscribers import Channel, Frequency, Subscriber
from shared.errors import TrueUpError
from shared.notices.ports import Message, NoticePorts
from shared.notices.telling import tell
from shared.state.notices import NoticeStore
from tests import builders as b
from tests.fakes.house import Fate, House, Killed

CLERK = Subscriber("clerk", Channel.MAIL, ("clerk@birchline.example",))
DESK = Subscriber("desk", Channel.TEAMS, ("service-desk",), Frequency.AT_ONCE)


class FakePost:
    """A channel. `broken` is raised until it is mended; the process may die before and after a message is taken."""

    def __init__(self, fate: Fate) -> None:
        self._fate = fate
        self.taken: list[Message] = []
        self.broken: TrueUpError | None = None
        self.tries: Counter[str] = Counter()

    def send(self, message: Message) -> None:
        self._fate.step("post")
        self.tries[message.to] += 1
        if self.broken is not None:
            raise self.broken
        self.taken.append(message)
        self._fate.step("answer of post")

    @property
    def last(self) -> Message:
        return self.taken[-1]


class NoticeHouse(House):
    """The house, with a mail and a Teams channel. It begins on 21 Nov 2026 at 02:00 UTC."""

    def __init__(self, *subscribers: Subscriber, **parts: object) -> None:
        super().__init__()
        self.mail = FakePost(self.fate)
        self.teams = FakePost(self.fate)
        self._parts = parts
        self.told_by(*subscribers)

    def told_by(self, *subscribers: Subscriber, rules: Rules | None = None) -> None:
        self.rules(replace(rules or b.rules(), subscribers=subscribers))

    @property
    def notices(self) -> NoticePorts:
        posts = {Channel.MAIL: self.mail, Channel.TEAMS: self.teams}
        told = NoticeStore(self.tables)
        return NoticePorts(self.ports, told, posts, console="https://trueup.test/console", **self._parts)  # type: ignore[arg-type]

    def tell(self) -> int:
        return tell(self.notices)

    def pass_days(self, days: int, *, hour: int = 8) -> None:
        """Ticks until so many days later, at that hour."""
        self.tell()
        self.clock.time = self.clock.time.replace(hour=hour, minute=0)
        self.clock.pass_by(days=days)
        self.tell()

    def tell_until_done(self, ticks: Sequence[int] = range(40)) -> None:
        """Ticks as the platform does, five minutes apart, with a new process after each kill."""
        for _ in ticks:
            try:
                self.tell()
            except Killed:
                self.revive()
            self.clock.pass_by(minutes=5)
