"""The storage client's errors as ours, named for what the operator or the caller must do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from shared.errors import NotPermitted, Refused, Retryable, TrueUpError
from shared.state.rows import AlreadyThere, Changed

if TYPE_CHECKING:
    from azure.core.exceptions import AzureError


@contextmanager
def translated(table: str) -> Iterator[None]:
    """Raises the client's errors as ours."""
    from azure.core.exceptions import AzureError

    try:
        yield
    except AzureError as error:
        raise _our_error(table, error) from error


def _our_error(table: str, error: AzureError) -> TrueUpError:
    from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

    response = getattr(error, "response", None)
    status = error.status_code if isinstance(error, HttpResponseError) else None
    details: dict[str, Any] = {
        "system": "storage",
        "request_id": None if response is None else response.headers.get("x-ms-request-id"),
        "status": status,
    }
    if status == 409:
        return AlreadyThere(f"{table}: the row is there already", **details)
    if status in (404, 412):
        return Changed(f"{table}: the row was changed meanwhile", **details)
    if status in (401, 403) or isinstance(error, ClientAuthenticationError):
        remedy = "Correct the connection string, or give the identity the role Storage Table Data Contributor."
        return NotPermitted(f"{table}: the storage account did not let us in", remedy=remedy, **details)
    if status is None or status in (408, 429) or status >= 500:
        what = f"answered {status}" if status else f"could not be reached ({type(error).__name__})"
        return Retryable(f"{table}: the storage account {what}", **details)
    code = getattr(error, "error_code", None)
    return Refused(f"{table}: the storage account answered {status} {getattr(code, 'value', code)}", **details)
