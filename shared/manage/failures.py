"""From what went wrong on a call to the error that says what to do about it."""

from __future__ import annotations

import json
from typing import Any

from shared.errors import Gone, Incomplete, NotPermitted, OutcomeUnknown, Refused, Retryable, TrueUpError
from shared.http.wire import Answer, NoAnswer, is_html
from shared.manage.call import Call

SYSTEM = "ConnectWise Manage"

_LOOK_FIRST = "Look in ConnectWise Manage for the effect of this write before it is sent again."
_LATER = (
    "Nothing to do if it passes: it is tried again. If it stays so, look at ConnectWise's status page, at the address "
    "in the settings (MANAGE_SITE or MANAGE_BASE_URL), and at proxies and firewalls on the way."
)
_NOT_MANAGE = (
    "A web page is not Manage's API: check the address in the settings (MANAGE_SITE is a host such as "
    "na.myconnectwise.net, MANAGE_BASE_URL ends with the release and /apis/3.0), and whether a sign-in page, a proxy "
    "or a firewall answers in its place. If it passes by itself, Manage was being maintained: it is tried again."
)
_WHO_WE_ARE = "Check company, public key and private key of the API member in the settings."
_ADDRESS = (
    "Check the base URL (its release part, such as v4_6_release), the company and the keys in the settings: "
    "Manage answers like this to all of them."
)

#: What the API member's security role must hold, by the beginning of the route.
_PERMISSIONS = (
    ("/company/companies", "Companies > Company Maintenance"),
    ("/finance/agreement", "Finance > Agreements"),
    ("/finance/billingCycles", "System > Table Setup"),
    ("/procurement/catalog", "Procurement > Product Catalog"),
    ("/procurement/", "System > Table Setup"),
    ("/system/callbacks", "System > Table Setup"),
    ("/company/contacts", "Companies > Contacts"),
    ("/service/tickets", "Service Desk > Service Tickets"),
)
#: What Manage says of a record here may repeat a person's name or address: only its codes are quoted.
_ABOUT_PEOPLE = "/company/contacts"
_LEVELS = {"GET": "Inquire", "POST": "Add", "PATCH": "Edit", "DELETE": "Delete"}

_LONGEST_TEXT = 500


def failure(call: Call, result: Answer | NoAnswer, *, doubt: bool, retry_after: float | None = None) -> TrueUpError:
    """The error for a call that did not succeed. `doubt`: some attempt of this write may have been carried out.

    A plain no (4xx) of the last attempt settles the doubt that earlier attempts left.
    """
    if isinstance(result, NoAnswer):
        return _passing(f"{call}: {result.reason}", doubt=doubt)
    message = f"{call}: {_described(result, quoting=not call.route.startswith(_ABOUT_PEOPLE))}"
    origin: dict[str, Any] = {"system": SYSTEM, "request_id": result.request_id, "status": result.status}
    if result.status in {401, 403}:
        return NotPermitted(message, remedy=_permission(call, result.status), **origin)
    if is_missing_endpoint(result):
        return NotPermitted(message, remedy=_ADDRESS, **origin)
    if result.status == 404:
        return Gone(message, remedy="Somebody deleted it in ConnectWise Manage: read it again.", **origin)
    if result.status in {408, 429} or result.status >= 500:
        return _passing(message, doubt=doubt, retry_after=retry_after, answer=result)
    remedy = _NOT_MANAGE if result.status < 400 else "Correct what Manage names here."
    return Refused(message, remedy=remedy, **origin)


def unreadable(call: Call, answer: Answer, reason: str) -> TrueUpError:
    """The error for a success whose body says nothing: a read taught nothing, a write is in doubt."""
    kind: type[TrueUpError] = Incomplete if call.method == "GET" else OutcomeUnknown
    remedy = _NOT_MANAGE if is_html(answer.text) else _LATER
    return kind(
        f"{call}: {reason}",
        system=SYSTEM,
        request_id=answer.request_id,
        status=answer.status,
        remedy=remedy if kind is Incomplete else _LOOK_FIRST,
    )


def is_missing_endpoint(result: Answer | NoAnswer) -> bool:
    """Whether a 404 speaks of the address instead of the record. Then nothing was learned about the record."""
    if isinstance(result, NoAnswer) or result.status != 404:
        return False
    return str(_error_body(result).get("code")).lower() != "notfound"


def _passing(message: str, *, doubt: bool, retry_after: float | None = None, answer: Answer | None = None) -> Retryable:
    return (OutcomeUnknown if doubt else Retryable)(
        f"{message}; the write may have happened" if doubt else message,
        system=SYSTEM,
        request_id=answer.request_id if answer else None,
        status=answer.status if answer else None,
        retry_after=retry_after,
        remedy=_LOOK_FIRST if doubt else _LATER,
    )


def _permission(call: Call, status: int) -> str:
    if status == 401:
        return _WHO_WE_ARE
    module = next((name for route, name in _PERMISSIONS if call.route.startswith(route)), None)
    if module is None:
        return f"{_WHO_WE_ARE} Check the client id too."
    level = _LEVELS[call.method]
    return (
        f"Give the API member's security role {module}: {level} All. Without a valid client id the answer is the same."
    )


def _described(answer: Answer, *, quoting: bool = True) -> str:
    """Status, code and texts of Manage's error body in one line. A body that is not JSON (often HTML) is not quoted.

    Without `quoting` only codes and names of fields, nothing that is said of them.
    """
    body = _error_body(answer)
    texts = [str(body[name]) for name in ("code", "error", "message") if body.get(name) and (quoting or name == "code")]
    errors = body.get("errors")
    details = [item for item in errors if isinstance(item, dict)] if isinstance(errors, list) else []
    said = "message" if quoting else "code"
    texts += [f"{item.get('field') or item.get('code')}: {item.get(said)}" for item in details]
    text = " ".join("; ".join(texts).split())
    return f"answered {answer.status}" + (f" ({text[:_LONGEST_TEXT]})" if text else "")


def _error_body(answer: Answer) -> dict[str, Any]:
    try:
        body = json.loads(answer.text)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
