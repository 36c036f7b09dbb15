"""How often and how long a read is repeated."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from shared.errors import Retryable

#: Seconds before the first and the second repetition where the vendor names no time of its own.
BACK_OFF = (2.0, 8.0)
#: Seconds for what is read of one customer: a company's sync has four minutes in all, for reading and writing.
READ_SECONDS = 100.0
#: Seconds for what is read of all.
LIST_SECONDS = 300.0

_T = TypeVar("_T")


class Patience:
    """Time and repetitions for one read, all its calls together. `system` is the vendor that is waited for.

    A company's sync has a few minutes in all, so a read that would have to wait longer than it has left gives up and
    says so; the next run reads again. `chance` in [0, 1) adds up to a fifth to a pause, lest lanes return in step.
    """

    def __init__(
        self,
        seconds: float,
        sleep: Callable[[float], None],
        system: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._sleep = sleep
        self._system = system
        self._clock = clock
        self._chance = chance
        self._ends = clock() + seconds

    def left(self) -> float:
        """Seconds left. Raises `Retryable` when there are none."""
        left = self._ends - self._clock()
        if left <= 0:
            raise Retryable(
                "Reading took too long and was given up.",
                system=self._system,
                remedy=f"Nothing to do if the next run succeeds; otherwise look at the health of {self._system}.",
            )
        return left

    def repeat(self, action: Callable[[], _T]) -> _T:
        """The result of `action`, repeated after `Retryable` as often as `BACK_OFF` allows; then the error stands.

        A time that the vendor names (`Retry-After`) is kept exactly.
        """
        for pause in BACK_OFF:
            try:
                return action()
            except Retryable as error:
                wait = pause * (1 + self._chance() / 5) if error.retry_after is None else error.retry_after
                if wait >= self.left():
                    raise
                self._sleep(wait)
        return action()
