"""What Microsoft's codes mean and what a person is told to do."""

from __future__ import annotations

import pytest

from shared.billing.counts import FailureKind
from shared.errors import Gone, Incomplete, NotPermitted, Refused, Retryable
from shared.sources.failures import kind_of
from shared.sources.microsoft365.failures import TOKEN_FAILURES, graph_error, token_error
from tests.unit.fake_graph import REQUEST_ID, TENANT

CONSENT = f"https://login.microsoftonline.com/{TENANT}/adminconsent?client_id=app"
DESCRIPTION = (
    "Authentication failed: AADSTS{code}: secret-ish words of Entra about pat@alder.example. "
    "Trace ID: 11111111-0000-4000-8000-000000000001 Correlation ID: " + REQUEST_ID + " Timestamp: 2026-11-21 02:00:00Z"
)
KINDS = {
    "700016": FailureKind.CONSENT_LOST,
    "7000229": FailureKind.CONSENT_LOST,
    "7000112": FailureKind.CONSENT_LOST,
    "65001": FailureKind.CONSENT_LOST,
    "53003": FailureKind.CONSENT_LOST,
    "50020": FailureKind.CONSENT_LOST,
    "50177": FailureKind.CONSENT_LOST,
    "700082": FailureKind.CONSENT_LOST,
    "7000215": FailureKind.READ_FAILED,
    "7000222": FailureKind.READ_FAILED,
    "700027": FailureKind.READ_FAILED,
    "70021": FailureKind.READ_FAILED,
    "700211": FailureKind.READ_FAILED,
    "700212": FailureKind.READ_FAILED,
    "700213": FailureKind.READ_FAILED,
    "90002": FailureKind.CUSTOMER_GONE,
    "900023": FailureKind.CUSTOMER_GONE,
    "5000224": FailureKind.CUSTOMER_GONE,
}


def test_every_code_of_the_table_is_pinned_here() -> None:
    assert TOKEN_FAILURES.keys() == KINDS.keys()


@pytest.mark.parametrize(("code", "kind"), KINDS.items())
def test_a_refused_token_says_what_it_means_and_what_to_do(code: str, kind: FailureKind) -> None:
    error = token_error(DESCRIPTION.format(code=code), TENANT, CONSENT)

    assert kind_of(error) is kind
    assert error.request_id == REQUEST_ID
    assert f"AADSTS{code}" in error.message
    assert error.remedy.endswith((".", CONSENT))
    assert "{" not in error.message + error.remedy
    assert "alder.example" not in error.message + error.remedy
    assert "secret-ish" not in error.message + error.remedy


@pytest.mark.parametrize("code", ["700016", "7000229", "65001"])
def test_missing_consent_names_the_roles_and_the_address_for_consent(code: str) -> None:
    error = token_error(DESCRIPTION.format(code=code), TENANT, CONSENT)

    assert isinstance(error, NotPermitted)
    assert CONSENT in error.remedy
    assert "Organization.Read.All" in error.remedy
    assert "User.Read.All" in error.remedy


@pytest.mark.parametrize("code", ["7000215", "7000222", "700027", "700213"])
def test_a_broken_credential_says_that_every_tenant_is_affected(code: str) -> None:
    assert "every tenant is affected" in token_error(DESCRIPTION.format(code=code), TENANT, CONSENT).message


def test_a_longer_code_is_not_taken_for_a_shorter_one() -> None:
    assert isinstance(token_error("AADSTS7000161: something else", TENANT, CONSENT), Refused)


def test_an_unknown_code_is_a_failed_read_that_names_the_code() -> None:
    error = token_error("AADSTS123456: no idea", TENANT, CONSENT)

    assert isinstance(error, Refused)
    assert kind_of(error) is FailureKind.READ_FAILED
    assert "code=123456" in error.remedy


def test_a_known_code_counts_wherever_it_stands_among_others() -> None:
    assert isinstance(token_error("AADSTS500: outer. AADSTS90002: inner.", TENANT, CONSENT), Gone)


def test_no_code_at_all_may_heal_by_itself() -> None:
    assert isinstance(token_error("Connection refused", TENANT, CONSENT), Retryable)


def asked(status: int, code: str = "", retry_after: float | None = None) -> Exception:
    return graph_error(
        status,
        code,
        "the list of SKUs",
        roles="Some.Role and Other.Role",
        consent=CONSENT,
        request_id=REQUEST_ID,
        retry_after=retry_after,
    )


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (403, "Authorization_RequestDenied"),
        (401, "Authorization_IdentityNotFound"),
        (401, "InvalidAuthenticationToken"),
    ],
)
def test_a_missing_role_or_principal_asks_for_the_roles(status: int, code: str) -> None:
    error = asked(status, code)

    assert isinstance(error, NotPermitted)
    assert kind_of(error) is FailureKind.CONSENT_LOST
    assert "Some.Role and Other.Role" in error.remedy
    assert CONSENT in error.remedy
    assert (error.status, error.request_id) == (status, REQUEST_ID)


@pytest.mark.parametrize("status", range(300, 600))
def test_every_other_status_is_a_failed_read_and_what_is_microsofts_own_trouble_passes_by_itself(status: int) -> None:
    error = asked(status, retry_after=7)

    if status in {401, 403}:
        assert isinstance(error, NotPermitted)
    elif status in {408, 429, 500, 502, 503, 504}:
        assert isinstance(error, Retryable)
        assert error.retry_after == 7
    else:
        assert isinstance(error, Refused)


def test_an_incomplete_answer_is_a_failed_read() -> None:
    assert kind_of(Incomplete("cut off")) is FailureKind.READ_FAILED
