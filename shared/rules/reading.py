"""Reading the rules document, with every problem named by line and field, all at once."""

from __future__ import annotations

from pydantic import ValidationError

from shared.rules.checks import check_between
from shared.rules.document import RulesDocument
from shared.rules.problems import RulesProblem, sentence_of
from shared.rules.sharing import check_counted_once
from shared.rules.tree import Outline, outline

__all__ = ["RulesProblem", "checked", "read_rules"]


def read_rules(text: str) -> RulesDocument:
    """The document that a YAML text holds. Raises `RulesProblem` with everything that is wrong with it."""
    found = outline(text)
    document = checked(found)
    if document is None:
        raise RulesProblem([str(problem) for problem in sorted(found.problems)])
    return document


def checked(found: Outline) -> RulesDocument | None:
    """The document of an outline; None, with every problem there is added to it, where anything is wrong."""
    document: RulesDocument | None = None
    if found.tree is not None:
        try:
            document = RulesDocument.model_validate(found.tree)
        except ValidationError as error:
            for details in error.errors(include_url=False):
                found.add(details["loc"], sentence_of(details))
        check_between(found)
    if document is not None and not found.problems:
        check_counted_once(found, document)
    return None if found.problems else document
