from __future__ import annotations

import re
from pathlib import Path

import pytest

from shared.errors import Gone, NotPermitted, OutcomeUnknown, Refused, Retryable, TrueUpError
from shared.http.wire import Answer
from shared.manage.call import Call
from shared.manage.client import ADDITION, ADDITIONS, AGREEMENTS, BILLING_CYCLES, CATALOG, COMPANIES, RECAPS
from shared.manage.failures import _PERMISSIONS, failure
from tests.unit.fakes_manage import NOT_CONNECTED, RESET, answer, no

READ = Call("GET", ADDITIONS, {"agreement": 501})
PATCH = Call("PATCH", ADDITION, {"agreement": 501, "addition": 9001}, body=[{"op": "replace", "value": "Vera Holm"}])


@pytest.mark.parametrize(
    ("result", "kind"),
    [
        (no(302, "Moved"), Refused),
        (no(400), Refused),
        (no(401, "Unauthorized"), NotPermitted),
        (no(403, "Security"), NotPermitted),
        (no(404, "NotFound"), Gone),
        (no(404, "ConnectWiseApi", "The endpoint does not exist."), NotPermitted),
        (answer("<html>not here</html>", 404), NotPermitted),
        (no(405), Refused),
        (no(408), Retryable),
        (no(409), Refused),
        (no(414), Refused),
        (no(422), Refused),
        (no(429), Retryable),
        (no(500), Retryable),
        (answer("<html>bad gateway</html>", 502), Retryable),
        (no(503), Retryable),
    ],
)
def test_each_status_becomes_the_error_that_says_what_to_do(result: Answer, kind: type[TrueUpError]) -> None:
    error = failure(READ, result, doubt=False)
    assert type(error) is kind
    assert (error.system, error.request_id, error.status) == ("ConnectWise Manage", "request-1", result.status)
    assert error.remedy
    assert "GET /finance/agreements/501/additions" in str(error)
    assert "request-1" in str(error)


@pytest.mark.parametrize("result", [no(500), no(503), no(429), no(408), RESET, NOT_CONNECTED])
def test_a_doubt_that_is_left_makes_the_outcome_unknown(result: Answer) -> None:
    assert type(failure(PATCH, result, doubt=True)) is OutcomeUnknown
    assert type(failure(PATCH, result, doubt=False)) is Retryable


@pytest.mark.parametrize(("status", "kind"), [(400, Refused), (403, NotPermitted), (404, Gone)])
def test_a_plain_no_settles_an_earlier_doubt(status: int, kind: type[TrueUpError]) -> None:
    assert type(failure(PATCH, no(status, "NotFound"), doubt=True)) is kind


def test_the_wait_that_manage_named_is_passed_on() -> None:
    error = failure(READ, no(429), doubt=False, retry_after=90)
    assert isinstance(error, Retryable)
    assert error.retry_after == 90


@pytest.mark.parametrize(
    ("method", "route", "permission"),
    [
        ("GET", COMPANIES, "Companies > Company Maintenance: Inquire All"),
        ("GET", AGREEMENTS, "Finance > Agreements: Inquire All"),
        ("GET", ADDITIONS, "Finance > Agreements: Inquire All"),
        ("GET", RECAPS, "Finance > Agreements: Inquire All"),
        ("POST", ADDITIONS, "Finance > Agreements: Add All"),
        ("PATCH", ADDITION, "Finance > Agreements: Edit All"),
        ("DELETE", ADDITION, "Finance > Agreements: Delete All"),
        ("GET", CATALOG, "Procurement > Product Catalog: Inquire All"),
        ("GET", BILLING_CYCLES, "System > Table Setup: Inquire All"),
        ("GET", "/system/info", "client id"),
    ],
)
def test_a_403_names_the_permission_that_is_missing(method: str, route: str, permission: str) -> None:
    call = Call(method, route, {"agreement": 501, "addition": 9001})
    assert permission in failure(call, no(403, "Security"), doubt=False).remedy


def test_the_guide_gives_the_role_every_permission_whose_lack_is_named() -> None:
    guide = (Path(__file__).parents[2] / "docs/connect-manage.md").read_text(encoding="utf-8")
    given = set(re.findall(r"^\| (\w[\w ]* > [\w ]+) \| (?:All|for)", guide, re.M))

    assert given == {module for _, module in _PERMISSIONS}


def test_a_401_points_at_the_keys_and_an_unknown_endpoint_at_the_address() -> None:
    assert "private key" in failure(READ, no(401), doubt=False).remedy
    assert "base URL" in failure(READ, no(404, "ConnectWiseApi"), doubt=False).remedy


def test_the_texts_of_the_single_errors_are_told_in_one_line() -> None:
    detail = {"code": "MaxLengthField", "message": "At most 50\r\ncharacters.", "field": "serialNumber"}
    body = {"code": "InvalidObject", "message": "addition object is invalid", "errors": [detail, "odd"]}
    text = str(failure(PATCH, answer(body, 400), doubt=False))
    assert "answered 400 (InvalidObject; addition object is invalid; serialNumber: At most 50 characters.)" in text


@pytest.mark.parametrize("text", ["", "null", "[1]", '{"errors": 3}', '{"message": null}', "{", "<html>Vera</html>"])
def test_any_error_body_is_accepted_and_a_page_is_not_quoted(text: str) -> None:
    assert str(failure(READ, answer(text, 400), doubt=False)).endswith("answered 400 (request request-1)")


def test_the_body_that_was_sent_is_in_no_message() -> None:
    for result in (no(400), no(500), RESET):
        assert "Vera Holm" not in f"{failure(PATCH, result, doubt=True)} {PATCH!r}"


def test_a_very_long_text_is_cut() -> None:
    assert len(str(failure(READ, no(400, message="x" * 100_000), doubt=False))) < 700
