"""What is wrong with rules, in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from shared.errors import Misconfigured
from shared.rules.document import RulesDocument
from shared.rules.scalars import SAID, shown


class RulesProblem(Misconfigured):
    """The rules document must be corrected. `problems` name line, field and what must stand there."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(problems, system="rules")
        self.remedy = "Correct the lines named here; docs/rules.example.yaml shows every field."


def sentence_of(details: ErrorDetails) -> str:
    """What pydantic found, in our words."""
    kind, given = details["type"], details["input"]
    if kind == SAID:
        return details["msg"]
    if kind == "missing":
        *parent, name = details["loc"]
        return f"is missing; {_model_at(parent).model_fields[str(name)].description}"
    if kind == "extra_forbidden":
        return f"is not known here; allowed are {', '.join(_model_at(details['loc'][:-1]).model_fields)}"
    if kind == "enum":
        return f"must be one of {_choices(details['ctx']['expected'])}, not {shown(given)}"
    if kind == "model_type":
        return f"must be fields with values, not {shown(given)}"
    if kind == "tuple_type":
        return f"must be a list, not {shown(given)}"
    return f"{details['msg']}, not {shown(given)}"


def _choices(expected: str) -> str:
    return expected.replace("'", "").replace(" or ", ", ")


def _model_at(path: Sequence[str | int]) -> type[BaseModel]:
    """The part of the document that stands at this path."""
    model: type[BaseModel] = RulesDocument
    for step in path:
        if isinstance(step, str):
            model = _model_in(model.model_fields[step].annotation)
    return model


def _model_in(annotation: Any) -> type[BaseModel]:
    """The model inside X, X | None and tuple[X, ...]."""
    while not isinstance(annotation, type) or not issubclass(annotation, BaseModel):
        annotation = get_args(annotation)[0]
    return annotation
