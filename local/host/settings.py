"""host.json, local.settings.json and `%NAME%` expressions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from shared.errors import Misconfigured

#: The platform's settings that override host.json: the rest of the name is a path, `__` between its steps.
OVERRIDE_PREFIX = "azurefunctionsjobhost__"


def seconds_of(span: str) -> float:
    """Seconds of a time span `hh:mm:ss` or `d.hh:mm:ss`."""
    match = re.fullmatch(r"(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2}(?:\.\d+)?)", str(span))
    if match is None:
        raise ValueError(f"{span!r} is not a time span; write hh:mm:ss")
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def _timeout_of(span: str) -> float | None:
    return None if str(span) == "-1" else seconds_of(span)


class _Section(BaseModel):
    """A part of host.json. Keys are compared without regard to case, as the platform does."""

    model_config = ConfigDict(frozen=True, alias_generator=lambda name: name.replace("_", ""), extra="ignore")


class QueueOptions(_Section):
    """`extensions.queues`; times in seconds. The idle polling interval is that of a developer's machine."""

    batch_size: Annotated[int, Field(ge=1, le=32)] = 16
    new_batch_threshold: Annotated[int | None, Field(ge=0)] = None
    max_dequeue_count: Annotated[int, Field(ge=1)] = 5
    visibility_timeout: Annotated[float, BeforeValidator(seconds_of)] = 0.0
    max_polling_interval: Annotated[float, BeforeValidator(seconds_of)] = 2.0
    message_encoding: Literal["base64", "none"] = "base64"

    @property
    def refill_at(self) -> int:
        """Fetch again once no more than this many messages are in flight."""
        return self.batch_size // 2 if self.new_batch_threshold is None else self.new_batch_threshold


class _HttpOptions(_Section):
    route_prefix: str = "api"


class _Extensions(_Section):
    http: _HttpOptions = _HttpOptions()
    queues: QueueOptions = QueueOptions()


class HostSettings(_Section):
    """What of host.json this host obeys. `function_timeout` is in seconds, None = unbounded."""

    function_timeout: Annotated[float | None, BeforeValidator(_timeout_of)] = 1800.0
    extensions: _Extensions = _Extensions()

    @property
    def queues(self) -> QueueOptions:
        return self.extensions.queues

    @property
    def route_prefix(self) -> str:
        return self.extensions.http.route_prefix.strip("/")


class _LocalSettings(BaseModel):
    values: dict[str, str] = Field(default_factory=dict, alias="Values")


def read_host_settings(app: Path, environment: Mapping[str, str]) -> HostSettings:
    """host.json of an app directory, with the overrides from the environment."""
    path = app / "host.json"
    document = _lowered(_read_json(path))
    for name, value in environment.items():
        if name.lower().startswith(OVERRIDE_PREFIX):
            _put(document, name.lower().removeprefix(OVERRIDE_PREFIX).split("__"), value)
    try:
        return HostSettings.model_validate(document)
    except ValidationError as error:
        raise _misconfigured(path, error) from error


def add_local_settings(path: Path, environment: MutableMapping[str, str]) -> None:
    """Put the `Values` of a local.settings.json into the environment; what is set already stays."""
    try:
        values = _LocalSettings.model_validate(_read_json(path)).values
    except ValidationError as error:
        raise _misconfigured(path, error) from error
    for name, value in values.items():
        environment.setdefault(name, value)


def resolve(expression: str, environment: Mapping[str, str]) -> str:
    """Replace every `%NAME%` by that setting. Raises `Misconfigured` with every name that is not set."""
    unset = [name for name in re.findall(r"%([^%\s]+)%", expression) if name not in environment]
    if unset:
        raise Misconfigured([f"setting {name} is not set (used in {expression!r})" for name in unset])
    return re.sub(r"%([^%\s]+)%", lambda match: environment[match[1]], expression)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise Misconfigured([f"{path} does not exist"]) from None
    except ValueError as error:
        raise Misconfigured([f"{path} is not JSON: {error}"]) from error
    if not isinstance(document, dict):
        raise Misconfigured([f"{path} must hold a JSON object"])
    return document


def _lowered(document: dict[str, Any]) -> dict[str, Any]:
    return {key.lower(): _lowered(value) if isinstance(value, dict) else value for key, value in document.items()}


def _put(document: dict[str, Any], path: list[str], value: str) -> None:
    for step in path[:-1]:
        inner = document.setdefault(step, {})
        if not isinstance(inner, dict):
            raise Misconfigured([f"a setting AzureFunctionsJobHost__{'__'.join(path)} cannot override {step}"])
        document = inner
    document[path[-1]] = value


def _misconfigured(path: Path, error: ValidationError) -> Misconfigured:
    return Misconfigured([f"{path.name}: {'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()])
