"""Single parts of the rules as a person fills them in, with what is wrong with each field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from shared.billing.profiles import BillingProfile
from shared.billing.rules import CompanyRules, LicenceLink, Rules
from shared.errors import Refused
from shared.rules.document import RulesDocument
from shared.rules.problems import sentence_of
from shared.rules.tree import Path
from shared.rules.values import document_fields, to_values

Fields = dict[str, Any]


class FieldsProblem(Refused):
    """A part of the rules must be corrected.

    `fields` has what must stand in each, by its place (`price.amount`); "" for the whole part.
    """

    def __init__(self, fields: Mapping[str, list[str]], what: str = "the whole") -> None:
        told = "; ".join(f"{field or what}: {sentence}" for field in fields for sentence in fields[field])
        super().__init__(told, system="rules", remedy="Correct what is named here.")
        self.fields = fields


def profile_of(fields: Mapping[str, Any]) -> BillingProfile:
    """The profile that a document's fields give. Raises `FieldsProblem` with everything that is wrong."""
    document = _checked({"profiles": [dict(fields)]}, ("profiles", 0), "the profile")
    profiles: Mapping[str, BillingProfile] = to_values(document, 0)[0].profiles
    return next(iter(profiles.values()))


def fields_of(profile: BillingProfile) -> Fields:
    """The document's fields that give a profile."""
    found: Fields = document_fields(Rules(0, {profile.id: profile}), [])["profiles"][0]
    return found


def check_licence(fields: Mapping[str, Any]) -> None:
    """Raises `FieldsProblem` with everything that is wrong with a licence link's fields."""
    _checked(_of_company({"licences": [dict(fields)]}), ("companies", 0, "licences", 0), "the licence link")


def check_company(fields: Mapping[str, Any]) -> None:
    """Raises `FieldsProblem` with everything that is wrong with a company's own fields."""
    _checked(_of_company(fields), ("companies", 0), "the company")


def checked_msp(fields: Mapping[str, Any]) -> Fields:
    """The MSP's own rules with these parts, by their names, and everything else at its default.

    Raises `FieldsProblem` with everything that is wrong.
    """
    return msp_fields(to_values(_checked(fields, (), "the rules"), 0)[0])


def licence_fields(licence: LicenceLink) -> Fields:
    """The document's fields that give a licence link."""
    found: Fields = document_fields(Rules(0), [CompanyRules(1, "x", licences=(licence,))])["companies"][0]["licences"][
        0
    ]
    return found


def own_fields(company: CompanyRules, msp: Rules) -> Fields:
    """The document's fields that give a company's own rules; guards only where they differ from the MSP's."""
    found: Fields = document_fields(msp, [company])["companies"][0]
    return found


def msp_fields(msp: Rules) -> Fields:
    """The document's fields that give the MSP's own rules."""
    return document_fields(msp, [])


def _of_company(fields: Mapping[str, Any]) -> Fields:
    return {"companies": [{"company": 1, "name": "x", **fields}]}


def _checked(document: Mapping[str, Any], path: Path, what: str) -> RulesDocument:
    """The document, whose one part stands at the path."""
    try:
        return RulesDocument.model_validate(document)
    except ValidationError as error:
        problems: dict[str, list[str]] = {}
        for details in error.errors(include_url=False):
            place = ".".join(str(step) for step in details["loc"][len(path) :])
            problems.setdefault(place, []).append(sentence_of(details))
        raise FieldsProblem(problems, what) from None
