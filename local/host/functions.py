"""The index: which functions an app directory holds, checked as the platform's own worker checks them."""

from __future__ import annotations

import importlib
import inspect
import json
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import azure.functions as func

from local.host.settings import resolve
from shared.errors import Misconfigured

#: One binding, as function.json would hold it.
Binding = Mapping[str, Any]

TRIGGERS = frozenset({"httpTrigger", "queueTrigger", "timerTrigger"})
OUTPUTS = frozenset({"http", "queue"})
NAME = re.compile(r"(?!host$)[a-z][a-z0-9_\-]{0,127}", re.IGNORECASE)

#: The setting that names the storage account where a binding names none.
STORAGE_SETTING = "AzureWebJobsStorage"


@dataclass(frozen=True, slots=True)
class Function:
    """One function of the app: its handler and its bindings. `returns` is the binding of its return value."""

    name: str
    handler: Callable[..., Any]
    trigger: Binding
    outputs: tuple[Binding, ...] = ()
    returns: Binding | None = None

    @property
    def kind(self) -> str:
        return str(self.trigger["type"])

    @property
    def is_async(self) -> bool:
        return inspect.iscoroutinefunction(self.handler)

    @property
    def wants_context(self) -> bool:
        return "context" in inspect.signature(self.handler).parameters

    @property
    def bindings(self) -> tuple[Binding, ...]:
        return (self.trigger, *self.outputs, *([self.returns] if self.returns else []))


def index(app: Path) -> list[Function]:
    """The functions of an app directory, by name. Imports its function_app.py, so once per process.

    Raises `Misconfigured` with everything that the platform would refuse.
    """
    if not (app / "function_app.py").is_file():
        raise Misconfigured([f"{app} has no function_app.py"])
    sys.path.insert(0, str(app))
    declared = _the_app(importlib.import_module("function_app")).get_functions()
    functions = [_read(item) for item in declared]
    problems = [problem for function in functions for problem in _problems(function)]
    problems += [f"{item.get_function_name()}: @retry is not supported here" for item in declared if _retries(item)]
    if problems:
        raise Misconfigured(problems, system="functions")
    return sorted(functions, key=lambda function: function.name.lower())


def with_settings(functions: list[Function], environment: Mapping[str, str]) -> list[Function]:
    """The same functions with every `%NAME%` replaced. Raises `Misconfigured` with all names that are not set."""
    problems: list[str] = []
    resolved = [_with_settings(function, environment, problems) for function in functions]
    if problems:
        raise Misconfigured(problems)
    return resolved


def storage_setting(binding: Binding) -> str:
    """The name of the setting that holds a queue binding's connection string."""
    return str(binding.get("connection") or STORAGE_SETTING)


def _the_app(module: ModuleType) -> func.FunctionRegister:
    names = [name for name, value in vars(module).items() if isinstance(value, func.FunctionRegister)]
    if len(names) != 1:
        found = ", ".join(names) or "none"
        raise Misconfigured([f"function_app.py must bind exactly one name to a function app, found: {found}"])
    app: func.FunctionRegister = vars(module)[names[0]]
    return app


def _read(declared: Any) -> Function:
    bindings = [json.loads(raw) for raw in declared.get_raw_bindings()]
    outputs = [binding for binding in bindings if binding["direction"] == "OUT"]
    return Function(
        name=declared.get_function_name(),
        handler=declared.get_user_function(),
        trigger=next(binding for binding in bindings if binding["type"].endswith("Trigger")),
        outputs=tuple(binding for binding in outputs if binding["name"] != "$return"),
        returns=next((binding for binding in outputs if binding["name"] == "$return"), None),
    )


def _retries(declared: Any) -> bool:
    return declared.get_settings_dict("retry_policy") is not None


def _problems(function: Function) -> list[str]:
    problems = [] if NAME.fullmatch(function.name) else ["the platform refuses this name"]
    if function.kind not in TRIGGERS:
        problems.append(f"trigger {function.kind} is not supported here")
    outputs = [binding for binding in function.bindings if binding is not function.trigger]
    problems += [
        f"binding {binding['type']} is not supported here" for binding in outputs if binding["type"] not in OUTPUTS
    ]
    bound = {binding["name"] for binding in function.bindings} - {"$return"}
    parameters = set(inspect.signature(function.handler).parameters) - {"context"}
    if bound != parameters:
        problems.append(f"its parameters {sorted(parameters)} are not its bindings {sorted(bound)}")
    return [f"function {function.name}: {problem}" for problem in problems]


def _with_settings(function: Function, environment: Mapping[str, str], problems: list[str]) -> Function:
    def resolved(binding: Binding) -> Binding:
        values = dict(binding)
        for field in ("queueName", "schedule", "connection"):
            if values.get(field):
                try:
                    values[field] = resolve(values[field], environment)
                except Misconfigured as error:
                    problems.extend(f"function {function.name}: {problem}" for problem in error.problems)
        if values["type"] in {"queue", "queueTrigger"} and not environment.get(storage_setting(values)):
            problems.append(f"function {function.name}: set {storage_setting(values)} to a connection string")
        return values

    return replace(
        function,
        trigger=resolved(function.trigger),
        outputs=tuple(resolved(binding) for binding in function.outputs),
        returns=resolved(function.returns) if function.returns else None,
    )
