"""The rules document: everything an MSP decides about billing, in the shape in which it travels as YAML.

The fields mirror `shared.billing.rules`, which says what they mean. Unknown fields are errors.
"""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from shared.billing import limits, rules
from shared.billing.counting.feeds import COMBINED
from shared.billing.lines import PREFIX
from shared.billing.profiles import Arrears, Basis, BillOption, CountedOn, DriftRule, PriceKind
from shared.rules.contacts import Contacts
from shared.rules.money import Price, Proration
from shared.rules.notices import ServiceHealth, Subscriber
from shared.rules.parts import Part, Quantity, Users
from shared.rules.scalars import (
    Day,
    Days,
    InvoiceText,
    Number,
    PartId,
    Percentage,
    RecordId,
    Text,
    VendorId,
    Whole,
    YesOrNo,
    shown,
    wrong,
)

#: The sources that rules can name, and the jobs that schedules can start.
SOURCES = ("microsoft365", "azure", "pax8", "huntress", "cove")
JOBS = ("nightly", "hourly", "contacts")
#: The sources that tell when the vendor invoices.
INVOICING = ("huntress",)

_TENANT_BY_TENANT = "microsoft365"
#: What the settings name `rmm` for pushed counts is `pushed:rmm` in the rules.
_PUSHED = re.compile(r"pushed:[a-z0-9][a-z0-9-]{0,30}")
SOURCE_WORDS = f"{', '.join(SOURCES)}, pushed:<name>"

_PLACES_IN_TEXT = ("{product}", "{quantity}", "{users}")


def _source(word: str) -> str:
    if word not in SOURCES and (not _PUSHED.fullmatch(word) or word.endswith(f":{COMBINED}")):
        raise wrong(f'must be one of {SOURCE_WORDS}, not "{word}"')
    return word


def _job(word: str) -> str:
    if word not in JOBS:
        raise wrong(f'must be one of {", ".join(JOBS)}, not "{word}"')
    return word


def _of_no_vendor(when: CountedOn) -> CountedOn:
    if when is CountedOn.VENDOR_INVOICE:
        raise wrong("must be night or before-invoice: not every vendor invoices; say vendor-invoice in profiles")
    return when


def _cron(text: str) -> str:
    from croniter import CroniterBadDateError, croniter

    fields = text.split()
    if len(fields) != 5 or not croniter.is_valid(text):
        raise wrong(f'must be five cron fields such as 0 2 * * *, not "{text}"')
    try:
        croniter(text).get_next()
    except CroniterBadDateError:
        raise wrong(f'must be five cron fields that come due one day; "{text}" never does') from None
    return " ".join(fields)


def _text_with_places(text: str) -> str:
    rest = text
    for place in _PLACES_IN_TEXT:
        rest = rest.replace(place, "")
    if "{" in rest or "}" in rest:
        raise wrong(f"has braces around something else than {', '.join(_PLACES_IN_TEXT)}")
    return text


def _mark(text: str) -> str:
    if text.upper().startswith(PREFIX):
        raise wrong(f"must be the mark of another tool; {PREFIX} is TrueUp's own")
    return text


def _kept_days(value: object) -> int:
    text = str(value)
    if isinstance(value, bool) or not text.isascii() or not text.isdigit() or len(text) > 5:
        raise wrong(f"must be a whole number of days such as 730, not {shown(value)}")
    if int(text) < rules.UNDO_DAYS:
        raise wrong(f"must be at least {rules.UNDO_DAYS} days: what was done in these can be undone")
    return int(text)


Source = Annotated[VendorId, AfterValidator(_source)]
KeptDays = Annotated[int, BeforeValidator(_kept_days)]


class Reduction(Part):
    percent: Percentage = limits.ReductionLimit().percent
    small: Number = limits.ReductionLimit().small
    units: Number = limits.ReductionLimit().units
    money: Number = limits.ReductionLimit().money


class Increase(Part):
    factor: Number = limits.IncreaseLimit().factor
    small: Number = limits.IncreaseLimit().small


class Guards(Part):
    all_to_zero: YesOrNo = limits.Guards().all_to_zero
    reduction: Reduction = Reduction()
    increase: Increase = Increase()
    changes_per_day: Whole = limits.Guards().changes_per_day
    invoiced_at_once: Whole = limits.Guards().invoiced_at_once
    ends_within_days: Whole = limits.Guards().ends_within_days
    compare_forecast: limits.CompareForecast = limits.Guards().compare_forecast


class CompanyReduction(Part):
    """Only what differs from the MSP's own limits."""

    percent: Percentage | None = None
    small: Number | None = None
    units: Number | None = None
    money: Number | None = None


class CompanyIncrease(Part):
    """Only what differs from the MSP's own limits."""

    factor: Number | None = None
    small: Number | None = None


class CompanyGuards(Part):
    """Only what differs from the MSP's own guards."""

    all_to_zero: YesOrNo | None = None
    reduction: CompanyReduction = CompanyReduction()
    increase: CompanyIncrease = CompanyIncrease()
    changes_per_day: Whole | None = None
    invoiced_at_once: Whole | None = None
    ends_within_days: Whole | None = None
    compare_forecast: limits.CompareForecast | None = None


class Fleet(Part):
    percent: Percentage = limits.FleetLimit().percent
    after: Whole = limits.FleetLimit().after


class Approvals(Part):
    expire_days: Days = limits.Approvals().expire_days


class Schedule(Part):
    id: Text = Field(description="a short name of your own")
    job: Annotated[Text, AfterValidator(_job)] = Field(description=f"one of {', '.join(JOBS)}")
    cron: Annotated[Text, AfterValidator(_cron)] = Field(description="five cron fields such as 0 2 * * *")
    sources: tuple[Source, ...] = ()

    @model_validator(mode="after")
    def _reads_what_is_named(self) -> Self:
        if self.job == "hourly" and not self.sources:
            raise wrong("needs sources: the ones that it reads, such as [cove]")
        if self.job != "hourly" and self.sources:
            raise wrong("has sources, which only the job hourly takes; profiles say when counts are billed: counted_on")
        if _TENANT_BY_TENANT in self.sources:
            raise wrong(f"names {_TENANT_BY_TENANT}, which is read tenant by tenant and at night only")
        return self


class Profile(Part):
    id: Text = Field(description="a short name of your own, such as business-premium")
    name: Text = Field(description="what people call it")
    product: Text = Field(description="identifier of the product in Manage's catalog")
    agreement_types: tuple[Text, ...] = ()
    quantity: Quantity = Quantity()
    price: Price = Price()
    proration: Proration = Proration()
    bill_option: BillOption = BillOption.BILLABLE
    taxable: YesOrNo | None = None
    invoice_text: Annotated[InvoiceText, AfterValidator(_text_with_places)] = ""
    replaces: tuple[Text, ...] = ()
    update_only: YesOrNo = False
    combine: YesOrNo = False
    split: YesOrNo = False
    drift: DriftRule = DriftRule.ASK
    commitment_floor: YesOrNo = False
    arrears: Arrears | None = None
    counted_on: CountedOn | None = None

    @model_validator(mode="after")
    def _usage_has_a_price(self) -> Self:
        if self.arrears is None:
            self.price.refuse_with_seats()
        if self.arrears is not None and self.counted_on not in (None, CountedOn.NIGHT):
            raise wrong(f"has both arrears and counted_on: {self.counted_on}; keep one of them")
        if self.arrears is not None and self.update_only:
            raise wrong("has both arrears and update_only, but usage takes a new line each period; keep one of them")
        if self.arrears is not None and self.price.kind is PriceKind.KEEP:
            kinds = ", ".join(kind for kind in PriceKind if kind is not PriceKind.KEEP)
            raise wrong(f"bills usage in arrears, which needs a price of one of these kinds: {kinds}")
        return self

    @model_validator(mode="after")
    def _split_by_what_is_bought(self) -> Self:
        if self.split and self.combine:
            raise wrong("has both combine and split; keep one of them")
        if self.split and self.quantity.basis is not Basis.PURCHASED:
            raise wrong(f"has split, but basis {self.quantity.basis.value} counts no subscriptions; use purchased")
        if self.split and self.quantity.minimum_always:
            raise wrong("has split and minimum_always; the line of a subscription that is gone would never end")
        if self.commitment_floor and not self.split:
            raise wrong("has commitment_floor, which only holds per subscription; write split: true beside it")
        return self


class Policy(Part):
    source: Source = Field(description=f"one of {SOURCE_WORDS}")
    sku: VendorId = Field(description="the vendor's id of the SKU")
    profile: Text | None = None
    do_not_bill: YesOrNo = False

    @model_validator(mode="after")
    def _billed_or_not(self) -> Self:
        if (self.profile is not None) == self.do_not_bill:
            raise wrong("needs exactly one of profile and do_not_bill: true")
        return self


class Link(Part):
    source: Source = Field(description=f"one of {SOURCE_WORDS}")
    customer: VendorId = Field(description="the vendor's id of the customer")
    users: Users = Users()
    removed: YesOrNo = False


class Licence(Part):
    source: Source = Field(description=f"one of {SOURCE_WORDS}")
    sku: VendorId = Field(description="the vendor's id of the SKU")
    customer: VendorId | None = None
    profile: Text | None = None
    agreement: RecordId | None = None
    product: Text | None = None
    price: Number | None = None
    cost: Number | None = None
    quantity: Number | None = None
    start: Day | None = None
    do_not_bill: YesOrNo = False
    do_not_bill_until: Day | None = None
    waive_until: Day | None = None
    part: PartId | None = None
    users: Users = Users()

    @model_validator(mode="after")
    def _for_ever_or_until(self) -> Self:
        if self.do_not_bill and self.do_not_bill_until is not None:
            raise wrong("has both do_not_bill, which is for ever, and do_not_bill_until; keep one of them")
        return self


class BilledThrough(Part):
    agreement: RecordId = Field(description="Manage's record number of the agreement")
    day: Day = Field(description="the last day that is invoiced, such as 2026-12-31")


class Company(Part):
    company: RecordId = Field(description="Manage's record number of the company, such as 250")
    name: Text = Field(description="the company's name")
    mode: rules.Mode = rules.Mode.OBSERVE
    adopt_marked: YesOrNo = False
    links: tuple[Link, ...] = ()
    licences: tuple[Licence, ...] = ()
    guards: CompanyGuards | None = None
    billed_through: tuple[BilledThrough, ...] = ()


class Person(Part):
    """Whose companies are not all of them."""

    name: Text = Field(description="the name with which the person signs in")
    only: tuple[RecordId, ...] = ()
    without: tuple[RecordId, ...] = ()

    @model_validator(mode="after")
    def _only_or_without(self) -> Self:
        if bool(self.only) == bool(self.without):
            raise wrong("needs either only or without with companies; whoever is not listed sees all of them")
        return self


class Retention(Part):
    history_days: KeptDays = rules.Retention().history_days
    runs_days: KeptDays = rules.Retention().runs_days


class RulesDocument(Part):
    """The whole document."""

    guards: Guards = Guards()
    fleet: Fleet = Fleet()
    adoptable_marks: tuple[Annotated[Text, AfterValidator(_mark)], ...] = rules.Rules(0).adoptable_marks
    approvals: Approvals = Approvals()
    retention: Retention = Retention()
    people: tuple[Person, ...] = ()
    contacts: Contacts = Contacts()
    schedules: tuple[Schedule, ...] = (Schedule(id="nightly", job="nightly", cron="0 2 * * *"),)
    notices: tuple[Subscriber, ...] = ()
    service_health: ServiceHealth | None = None
    counted_on: Annotated[CountedOn, AfterValidator(_of_no_vendor)] = rules.Rules(0).counted_on
    profiles: tuple[Profile, ...] = ()
    policies: tuple[Policy, ...] = ()
    companies: tuple[Company, ...] = ()
