"""How Manage says no: error bodies in its documented shape, and the exception that carries one."""

from __future__ import annotations

from typing import Any

from shared.errors import Refused


class ApiError(Refused):
    """A refusal with its HTTP status and Manage's error body."""

    def __init__(self, status: int, code: str, message: str, errors: list[dict[str, Any]] | None = None) -> None:
        details = "; ".join(error["message"] for error in errors or ())
        super().__init__(f"{message} {details}".strip(), system="sandbox manage", status=status)
        self.body = {"code": code, "message": message, "errors": errors}


def detail(code: str, message: str, resource: str, field: str) -> dict[str, Any]:
    """One entry of `errors`."""
    return {"code": code, "message": message, "resource": resource, "field": field}


def missing_field(resource: str, field: str) -> dict[str, Any]:
    return detail("MissingRequiredField", f"The {field} field is required.", resource, field)


def too_long(resource: str, field: str, limit: int) -> dict[str, Any]:
    message = f"The field {field} must be a string with a maximum length of {limit}."
    return detail("MaxLengthField", message, resource, field)


def invalid(resource: str, errors: list[dict[str, Any]]) -> ApiError:
    """A write whose content is refused."""
    return ApiError(400, "InvalidObject", f"{resource} object is invalid", errors)


def invalid_field(resource: str, field: str, message: str) -> ApiError:
    return invalid(resource, [detail("InvalidField", message, resource, field)])


def not_found(resource: str, record_id: int) -> ApiError:
    return ApiError(404, "NotFound", f"{resource} {record_id} not found")


def no_endpoint() -> ApiError:
    return ApiError(404, "ConnectWiseApi", "The endpoint does not exist.")
