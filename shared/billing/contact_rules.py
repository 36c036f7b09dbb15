"""Which users of a customer are contacts in Manage, and how far TrueUp keeps them: part of the rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from shared.billing.users import EVERYBODY, Users


class ContactMode(StrEnum):
    """`none`: contacts are nobody's business here; `observe`: only shown what would be done; `auto`: it is done."""

    NONE = "none"
    OBSERVE = "observe"
    AUTO = "auto"


class Existing(StrEnum):
    """What becomes of a contact that a person made. `fill` and `overwrite` adopt it: it is kept from then on."""

    LEAVE = "leave"
    FILL = "fill"
    OVERWRITE = "overwrite"


class Edited(StrEnum):
    """What becomes of a field that a person changed in a contact that TrueUp keeps."""

    LEAVE = "leave"
    OVERWRITE = "overwrite"


class Left(StrEnum):
    """What becomes of a contact that TrueUp keeps once its user is no more among those who are contacts."""

    LEAVE = "leave"
    DEACTIVATE = "deactivate"


@dataclass(frozen=True, slots=True)
class ContactRules:
    """Which users are contacts: with a mail address and, unless said otherwise, licensed, enabled and no guests.

    `companies` have a mode of their own, by Manage's record number. Deactivating more than `left_at_once` contacts of a
    company at once, or more than one and more than `left_percent` of those kept, is held until a person releases it.
    The types name Manage's kinds of mail addresses and phone numbers.
    """

    mode: ContactMode = ContactMode.NONE
    companies: Mapping[int, ContactMode] = field(default_factory=dict)
    users: Users = EVERYBODY
    licensed: bool = True
    enabled: bool = True
    members: bool = True
    existing: Existing = Existing.LEAVE
    edited: Edited = Edited.LEAVE
    left: Left = Left.LEAVE
    left_at_once: int = 5
    left_percent: int = 20
    mail_type: str = "Email"
    phone_type: str = "Direct"
    mobile_type: str = "Cell"

    def mode_of(self, company: int) -> ContactMode:
        return self.companies.get(company, self.mode)


#: What holds where the rules say nothing: no company has contacts kept.
NO_CONTACTS = ContactRules()
