"""What goes wrong between us and Microsoft, as data: what it means and what a person must do.

Tables from Entra's AADSTS codes and Graph's error codes to an error of `shared.errors`; nothing here reads a message
beyond its code, so no name, secret or token can travel on in a sentence of ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from shared.billing.counts import FailureKind
from shared.errors import Gone, NotPermitted, Refused, Retryable, TrueUpError

SYSTEM = "Microsoft 365"

#: What an administrator grants: to the app in a customer's tenant, and in a partner tenant for the list of customers.
CUSTOMER_ROLES = "Organization.Read.All and User.Read.All"
PARTNER_ROLES = "DelegatedAdminRelationship.Read.All"

#: AADSTS codes that pass by themselves: too many requests, or a part of Entra that is away for a moment.
_BUSY = frozenset({"90006", "90024", "90033", "90055"})

#: HTTP statuses that pass by themselves; Graph, or a gateway before it, sends them for a whole call or for one item of
#: a batch.
PASSING = frozenset({408, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class TokenFailure:
    """Meaning of one AADSTS code. The texts may hold {tenant} and {consent}, the address for admin consent."""

    kind: FailureKind
    sentence: str
    remedy: str


_CONSENT = (
    "An administrator of tenant {tenant} must consent to the app and its application roles "
    f"({CUSTOMER_ROLES}): {{consent}}"
)
_FEDERATION = TokenFailure(
    FailureKind.READ_FAILED,
    "the app registration does not trust the managed identity; every tenant is affected",
    "Correct issuer, subject (the identity's object id) and audience of the federated credential on the app.",
)
_DELEGATED = TokenFailure(
    FailureKind.CONSENT_LOST,
    "the sign-in was made as a user that tenant {tenant} does not accept",
    f"TrueUp signs in as an app, not as a user: {_CONSENT[0].lower()}{_CONSENT[1:]}",
)

TOKEN_FAILURES: Mapping[str, TokenFailure] = {
    "700016": TokenFailure(FailureKind.CONSENT_LOST, "the app is not known in tenant {tenant}", _CONSENT),
    "7000229": TokenFailure(FailureKind.CONSENT_LOST, "the app has no service principal in tenant {tenant}", _CONSENT),
    "7000112": TokenFailure(
        FailureKind.CONSENT_LOST,
        "the app is disabled in tenant {tenant}",
        "An administrator of tenant {tenant} must enable sign-in for the app under Enterprise applications.",
    ),
    "65001": TokenFailure(FailureKind.CONSENT_LOST, "consent is missing or incomplete in tenant {tenant}", _CONSENT),
    "53003": TokenFailure(
        FailureKind.CONSENT_LOST,
        "a conditional access policy of tenant {tenant} blocks the app",
        "An administrator of tenant {tenant} must exclude the app from the policy for workload identities.",
    ),
    "7000215": TokenFailure(
        FailureKind.READ_FAILED,
        "the client secret is wrong; every tenant is affected",
        "Set the current secret value (not the secret's id) of the app registration in the settings.",
    ),
    "7000222": TokenFailure(
        FailureKind.READ_FAILED,
        "the client secret has expired; every tenant is affected",
        "Make a new secret on the app registration and set it in the settings, or change to a managed identity.",
    ),
    "700027": TokenFailure(
        FailureKind.READ_FAILED,
        "the certificate was rejected; every tenant is affected",
        "Check that the certificate is uploaded to the app registration and has not expired; a new one takes minutes.",
    ),
    "70021": _FEDERATION,
    "700211": _FEDERATION,
    "700212": _FEDERATION,
    "700213": _FEDERATION,
    "90002": TokenFailure(
        FailureKind.CUSTOMER_GONE,
        "tenant {tenant} was not found",
        "Remove the company's link to this tenant, or correct its id.",
    ),
    "900023": TokenFailure(
        FailureKind.CUSTOMER_GONE,
        "{tenant} is not a valid tenant id",
        "Correct the tenant id in the company's link.",
    ),
    "5000224": TokenFailure(
        FailureKind.CUSTOMER_GONE,
        "tenant {tenant} is not available any more; it was probably deleted",
        "Remove the company's link to this tenant.",
    ),
    "50020": _DELEGATED,
    "50177": _DELEGATED,
    "700082": _DELEGATED,
}

_ERRORS: Mapping[FailureKind, type[TrueUpError]] = {
    FailureKind.CONSENT_LOST: NotPermitted,
    FailureKind.CUSTOMER_GONE: Gone,
    FailureKind.READ_FAILED: Refused,
}


def token_error(text: str, tenant: str, consent: str) -> TrueUpError:
    """The error for a token that was refused, from the text of azure-identity's exceptions."""
    codes = re.findall(r"AADSTS(\d+)", text)
    request_id = _found(r"(?:Correlation ID:|correlation_id\W+)\s*([0-9a-fA-F-]{36})", text)
    if _BUSY & set(codes):
        return _no_answer(tenant, request_id, "Entra was busy")
    known = next((code for code in codes if code in TOKEN_FAILURES), None)
    if known is not None:
        failure = TOKEN_FAILURES[known]
        return _ERRORS[failure.kind](
            f"No token: {failure.sentence.format(tenant=tenant)} (AADSTS{known}).",
            system=SYSTEM,
            request_id=request_id,
            remedy=failure.remedy.format(tenant=tenant, consent=consent),
        )
    if codes:
        return Refused(
            f"No token: Entra refused one for tenant {tenant} (AADSTS{codes[0]}).",
            system=SYSTEM,
            request_id=request_id,
            remedy=f"Look the code up at https://login.microsoftonline.com/error?code={codes[0]}",
        )
    return _no_answer(tenant, request_id, "Entra gave no usable answer")


def _no_answer(tenant: str, request_id: str | None, why: str) -> Retryable:
    return Retryable(
        f"No token: {why} for tenant {tenant}.",
        system=SYSTEM,
        request_id=request_id,
        remedy="Nothing to do if this heals by itself; otherwise check the network and the authority's address.",
    )


def graph_error(
    status: int, code: str, what: str, *, roles: str, consent: str, request_id: str | None, retry_after: float | None
) -> TrueUpError:
    """The error for an answer of Graph other than success. `what` names what was asked for, `code` is Graph's own."""
    said = f"Graph answered {status} {code}".rstrip() + f" to {what}."
    if code == "Authorization_IdentityNotFound":
        return NotPermitted(
            f"{said} The app has no service principal in the tenant.",
            system=SYSTEM,
            request_id=request_id,
            status=status,
            remedy=f"An administrator must consent to the app with {roles}: {consent}",
        )
    if status in {401, 403}:
        return NotPermitted(
            f"{said} The app lacks a role in the tenant.",
            system=SYSTEM,
            request_id=request_id,
            status=status,
            remedy=f"An administrator must grant the application roles {roles}: {consent} "
            "(a new grant can take an hour to show).",
        )
    if status in PASSING:
        return Retryable(
            said,
            system=SYSTEM,
            request_id=request_id,
            status=status,
            retry_after=retry_after,
            remedy="Nothing to do if the next run succeeds: Microsoft was busy; otherwise look at its service health.",
        )
    return Refused(
        said,
        system=SYSTEM,
        request_id=request_id,
        status=status,
        remedy="Nothing to do if the next run succeeds; otherwise ask Microsoft with the request id.",
    )


def _found(pattern: str, text: str) -> str | None:
    match = re.search(pattern, text)
    return match.group(1) if match else None
