from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared.http.waiting import backoff, retry_after
from shared.http.wire import Answer

NOW = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)


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
