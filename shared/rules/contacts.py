"""Which users become contacts, as the rules document says it."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from shared.billing.contact_rules import ContactMode, ContactRules, Edited, Existing, Left
from shared.rules.parts import Part, Users
from shared.rules.scalars import RecordId, Text, Whole, YesOrNo, wrong

_DEFAULT = ContactRules()


class CompanyContacts(Part):
    """The mode of one company, where it is not the MSP's."""

    company: RecordId = Field(description="Manage's record number of the company, such as 250")
    mode: ContactMode = Field(description=f"one of {', '.join(ContactMode)}")


class Contacts(Part):
    """Mirrors `shared.billing.contact_rules.ContactRules`, which says what the fields mean."""

    mode: ContactMode = _DEFAULT.mode
    companies: tuple[CompanyContacts, ...] = ()
    users: Users = Users()
    licensed: YesOrNo = _DEFAULT.licensed
    enabled: YesOrNo = _DEFAULT.enabled
    members: YesOrNo = _DEFAULT.members
    existing: Existing = _DEFAULT.existing
    edited: Edited = _DEFAULT.edited
    left: Left = _DEFAULT.left
    left_at_once: Whole = _DEFAULT.left_at_once
    left_percent: Whole = _DEFAULT.left_percent
    mail_type: Text = _DEFAULT.mail_type
    phone_type: Text = _DEFAULT.phone_type
    mobile_type: Text = _DEFAULT.mobile_type

    @model_validator(mode="after")
    def _each_company_once(self) -> Self:
        named = [each.company for each in self.companies]
        if len(set(named)) < len(named):
            raise wrong("names a company twice; keep one mode for each")
        return self
