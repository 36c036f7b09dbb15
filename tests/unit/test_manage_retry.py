from __future__ import annotations

import pytest

from shared.http.wire import Answer, NoAnswer
from shared.manage.retry import leaves_doubt, may_repeat
from tests.unit.fakes_manage import NOT_CONNECTED, RESET

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
