"""Reading the rules document, with every problem named by line and field, all at once."""

from __future__ import annotations

from pydantic import ValidationError

from shared.rules.checks import check_between
from shared.rules.document import RulesDocument
from shared.rules.problems import RulesProblem, sentence_of
from shared.rules.sharing import check_counted_once
from shared.rules.tree import outline

__all__ = ["RulesProblem", "read_rules"]


def read_rules(text: str) -> RulesDocument:
    """The document that a YAML text holds. Raises `RulesProblem` with everything that is wrong with it."""
    found = outline(text)
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
    if found.problems or document is None:
        raise RulesProblem([str(problem) for problem in sorted(found.problems)])
    return document
