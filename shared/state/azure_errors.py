"""The storage client's errors as ours, named for what the operator or the caller must do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from shared.errors import NotPermitted, Refused, Retryable, TrueUpError
from shared.state.rows import AlreadyThere, Changed

if TYPE_CHECKING:
    from azure.core.exceptions import AzureError

_LATER = (
    "Nothing to do if it passes; otherwise check the account's name in AzureWebJobsStorage__accountName (or the "
    "connection string) and whether its network rules let us reach it."
)


@contextmanager
def translated(what: str, role: str = "Storage Table Data Contributor") -> Iterator[None]:
    """Raises the client's errors as ours. `what` was worked on, which takes the role."""
    from azure.core.exceptions import AzureError

    try:
        yield
    except AzureError as error:
        raise _our_error(what, role, error) from error


def _our_error(what: str, role: str, error: AzureError) -> TrueUpError:
    from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

    response = getattr(error, "response", None)
    status = error.status_code if isinstance(error, HttpResponseError) else None
    details: dict[str, Any] = {
        "system": "storage",
        "request_id": None if response is None else response.headers.get("x-ms-request-id"),
        "status": status,
    }
    if status == 409:
        return AlreadyThere(f"{what}: the row is there already", **details)
    if status in (404, 412):
        return Changed(f"{what}: the row was changed meanwhile", **details)
    if status in (401, 403) or isinstance(error, ClientAuthenticationError):
        remedy = (
            f"Give the identity the role {role} (a new role takes minutes) or correct the connection string; if both "
            "are right, the account's network rules keep us out."
        )
        return NotPermitted(f"{what}: the storage account did not let us in", remedy=remedy, **details)
    if status is None or status in (408, 429) or status >= 500:
        happened = f"answered {status}" if status else f"could not be reached ({type(error).__name__})"
        return Retryable(f"{what}: the storage account {happened}", remedy=_LATER, **details)
    code = getattr(error, "error_code", None)
    return Refused(f"{what}: the storage account answered {status} {getattr(code, 'value', code)}", **details)
