from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared.manage.retry import backoff, leaves_doubt, may_repeat, retry_after
from shared.manage.transport import Answer, NoAnswer
from tests.unit.fakes_manage import NOT_CONNECTED, RESET

NOW = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
PASSING = {408, 429, 502, 503, 504}
REPEATABLE = ("GET", "PATCH", "DELETE")


@pytest.mark.parametrize("method", REPEATABLE)
def test_only_failures_that_pass_by_themselves_are_repeated(method: str) -> None:
    assert {status for status in range(300, 600) if may_repeat(method, Answer(status))} == PASSING


def test_a_post_is_repeated_only_after_a_429() -> None:
    assert [status for status in range(300, 600) if may_repeat("POST", Answer(status))] == [429]


@pytest.mark.parametrize("text", ["Execution Timeout Expired.", "Query read time-out", "The operation timed out"])
def test_a_500_is_repeated_when_its_text_speaks_of_a_timeout(text: str) -> None:
    assert may_repeat("GET", Answer(500, {}, text))
    assert not may_repeat("POST", Answer(500, {}, text))
    assert not may_repeat("GET", Answer(400, {}, text))


@pytest.mark.parametrize(
    ("method", "result", "repeated", "doubt"),
    [
        ("GET", RESET, True, False),
        ("GET", NOT_CONNECTED, True, False),
        ("PATCH", RESET, True, True),
        ("PATCH", NOT_CONNECTED, True, False),
        ("DELETE", RESET, True, True),
        ("POST", RESET, False, True),
        ("POST", NOT_CONNECTED, True, False),
    ],
)
def test_a_missing_answer_is_in_doubt_when_a_write_may_have_arrived(
    method: str, result: NoAnswer, repeated: bool, doubt: bool
) -> None:
    assert may_repeat(method, result) is repeated
    assert leaves_doubt(method, result) is doubt


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_an_answered_write_is_in_doubt_after_408_and_every_5xx(method: str) -> None:
    doubted = [status for status in range(200, 600) if leaves_doubt(method, Answer(status))]
    assert doubted == [408, *range(500, 600)]


def test_a_read_never_leaves_doubt() -> None:
    assert not any(leaves_doubt("GET", Answer(status)) for status in range(200, 600))


def test_the_pause_doubles_up_to_a_limit() -> None:
    assert [backoff(attempt, 0) for attempt in range(1, 7)] == [1, 2, 4, 8, 16, 16]


def test_chance_takes_up_to_half_of_the_pause_away() -> None:
    assert backoff(3, 0.5) == 3
    assert 2 < backoff(3, 0.999) < 2.01


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7),
        ({"retry-after": " 0 "}, 0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-3"}, None),
        ({"Retry-After": "Sat, 21 Nov 2026 02:00:30 GMT"}, 30),
        ({"Retry-After": "Sat, 21 Nov 2026 01:00:00 GMT"}, 0),
        ({"Retry-After": "Sat, 21 Nov 2026 03:00:30 GMT", "Date": "Sat, 21 Nov 2026 03:00:10 GMT"}, 20),
    ],
)
def test_retry_after_is_read_in_seconds_and_as_a_date(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(Answer(429, headers), NOW) == seconds
