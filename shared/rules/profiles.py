"""A single billing profile as a person writes it, with what is wrong with each field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from shared.billing.profiles import BillingProfile
from shared.billing.rules import Rules
from shared.errors import Refused
from shared.rules.document import RulesDocument
from shared.rules.problems import sentence_of
from shared.rules.values import document_fields, to_values


class ProfileProblem(Refused):
    """A profile must be corrected. `fields` has what must stand in each, by its place (`price.amount`); "" for all."""

    def __init__(self, fields: Mapping[str, list[str]]) -> None:
        told = "; ".join(f"{field or 'the profile'}: {sentence}" for field in fields for sentence in fields[field])
        super().__init__(told, system="rules", remedy="Correct what is named here.")
        self.fields = fields


def profile_of(fields: Mapping[str, Any]) -> BillingProfile:
    """The profile that a document's fields give. Raises `ProfileProblem` with everything that is wrong."""
    try:
        document = RulesDocument.model_validate({"profiles": [dict(fields)]})
    except ValidationError as error:
        problems: dict[str, list[str]] = {}
        for details in error.errors(include_url=False):
            place = ".".join(str(step) for step in details["loc"][2:])
            problems.setdefault(place, []).append(sentence_of(details))
        raise ProfileProblem(problems) from None
    profiles: Mapping[str, BillingProfile] = to_values(document, 0)[0].profiles
    return next(iter(profiles.values()))


def fields_of(profile: BillingProfile) -> dict[str, Any]:
    """The document's fields that give a profile."""
    found: dict[str, Any] = document_fields(Rules(0, {profile.id: profile}), [])["profiles"][0]
    return found
