"""How long a read is waited for, with a clock and a sleep of the test's own."""

from __future__ import annotations

import pytest

from shared.errors import Refused, Retryable
from shared.sources.patience import Patience


class Time:
    """Passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def patience(seconds: float, time: Time, chance: float = 0.0) -> Patience:
    return Patience(seconds, time.sleep, "A vendor", clock=lambda: time.now, chance=lambda: chance)


def failing(*errors: Exception):
    left = list(errors)

    def action() -> str:
        if left:
            raise left.pop(0)
        return "read"

    return action


def test_a_read_whose_time_is_up_asks_nobody() -> None:
    asked: list[float] = []
    waiting = patience(0, Time())

    with pytest.raises(Retryable, match="took too long"):
        waiting.repeat(lambda: asked.append(waiting.left()))

    assert asked == []


def test_what_passes_by_itself_is_repeated_after_growing_pauses() -> None:
    time = Time()

    assert patience(100, time).repeat(failing(Retryable("busy"), Retryable("busy"))) == "read"
    assert time.slept == [2, 8]


def test_the_third_failure_stands() -> None:
    with pytest.raises(Retryable, match="third"):
        patience(100, Time()).repeat(failing(Retryable("first"), Retryable("second"), Retryable("third")))


def test_chance_adds_up_to_a_fifth_to_a_pause_of_our_own() -> None:
    time = Time()

    patience(100, time, chance=0.5).repeat(failing(Retryable("busy")))

    assert time.slept == [2.2]


def test_a_time_that_the_vendor_names_is_kept_exactly() -> None:
    time = Time()

    patience(100, time, chance=0.5).repeat(failing(Retryable("busy", retry_after=30)))

    assert time.slept == [30]


def test_a_wait_that_would_not_end_in_time_is_not_begun() -> None:
    time = Time()

    with pytest.raises(Retryable, match="busy"):
        patience(20, time).repeat(failing(Retryable("busy", retry_after=30)))

    assert time.slept == []


def test_what_does_not_pass_is_not_repeated() -> None:
    time = Time()

    with pytest.raises(Refused):
        patience(100, time).repeat(failing(Refused("no")))

    assert time.slept == []
