"""Parts of the rules document that say what is counted, and the base of all its parts."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator

from shared.billing import profiles
from shared.billing.counts import AccountKind, SubscriptionStatus
from shared.rules.scalars import Number, Positive, Text, VendorId, YesOrNo, shown, wrong

#: What the status of a subscription can be: our words, and those of Pax8, which has its own.
STATUSES = (
    *SubscriptionStatus,
    "Active",
    "Cancelled",
    "PendingManual",
    "PendingAutomated",
    "PendingCancel",
    "WaitingForDetails",
    "Trial",
    "Converted",
    "PendingActivation",
    "Activated",
)


def _status(word: str) -> str:
    """One that no subscription ever has would leave nothing out, and nobody would notice."""
    if word not in map(str.casefold, STATUSES):
        raise wrong(f"must be one of {', '.join(STATUSES)}, not {shown(word)}")
    return word


Status = Annotated[VendorId, AfterValidator(_status)]


class Part(BaseModel):
    """A part of the document: unknown fields are refused, nothing changes once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Traits(Part):
    """What users have in common; what is left out is not asked for."""

    departments: tuple[Text, ...] = ()
    offices: tuple[Text, ...] = ()
    domains: tuple[VendorId, ...] = ()
    groups: tuple[Text, ...] = ()
    accounts: tuple[AccountKind, ...] = ()


class Users(Part):
    only: Traits = Traits()
    without: Traits = Traits()


class Quantity(Part):
    basis: profiles.Basis = profiles.QuantityRule().basis
    include_grace: YesOrNo = profiles.QuantityRule().include_grace
    include_foreign: YesOrNo = profiles.QuantityRule().include_foreign
    include_trials: YesOrNo = profiles.QuantityRule().include_trials
    without_subscriptions: tuple[VendorId, ...] = ()
    without_statuses: tuple[Status, ...] = ()
    users: Users = Users()
    divide_by: Positive = profiles.QuantityRule().divide_by
    multiply_by: Positive = profiles.QuantityRule().multiply_by
    included: Number = profiles.QuantityRule().included
    minimum: Number = profiles.QuantityRule().minimum
    minimum_always: YesOrNo = profiles.QuantityRule().minimum_always
    rounding: profiles.Rounding = profiles.QuantityRule().rounding
    rounding_step: Positive = profiles.QuantityRule().rounding_step

    @model_validator(mode="after")
    def _filters_fit_the_basis(self) -> Self:
        bills_users = self.basis in (profiles.Basis.ASSIGNED, profiles.Basis.ASSIGNED_ACTIVE)
        if self.users != Users() and not bills_users:
            raise wrong(f"has users, which basis {self.basis.value} does not count; write basis: assigned")
        if self.users.only.accounts and self.basis is profiles.Basis.ASSIGNED_ACTIVE:
            raise wrong("has users.only.accounts, which basis assigned-active leaves out; write basis: assigned")
        for name in ("without_subscriptions", "without_statuses"):
            if getattr(self, name) and bills_users:
                raise wrong(f"has {name}, which basis {self.basis.value} does not count; leave it out")
        return self

    @model_validator(mode="after")
    def _divided_is_rounded(self) -> Self:
        if self.divide_by != 1 and self.rounding is profiles.Rounding.NONE:
            raise wrong("has divide_by without rounding; Manage takes no endless decimals, write rounding: up")
        return self
