"""The form of a billing profile: what each field is called, and what it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from shared.web.pages import forms
from shared.web.pages.forms import FormField, Group

_BASES = (
    ("purchased", "what was bought"),
    ("assigned", "licences that users hold"),
    ("assigned-active", "users who hold it and may sign in"),
    ("greater", "bought or held, whichever is more"),
)
_PRICES = (
    ("keep", "keep what stands"),
    ("product", "the product's price in Manage"),
    ("custom", "a price of its own"),
    ("cost", "the vendor's cost and a markup"),
    ("retail", "the vendor's retail price"),
    ("tiered", "bands, each with its own price"),
    ("volume", "bands: the one reached for all"),
    ("package", "bands: one package of the band reached (usage only)"),
)
_RULES = (
    ("computed", "by the days that are left"),
    ("none", "from the next period on"),
    ("full", "the whole period"),
    ("manage", "Manage prorates it"),
)

GROUPS = (
    Group(
        "What it is",
        (
            FormField("id", "Short name", "Your own id for it, such as business-premium; policies name it."),
            FormField("name", "Name", "What people call it."),
            FormField("product", "Manage product", "The identifier of the product in Manage's catalog."),
            FormField(
                "agreement_types",
                "Agreement types",
                "Only agreements of these types are billed on, one a line, as Manage calls them; empty allows all.",
                "lines",
            ),
            FormField(
                "replaces",
                "Also looks for",
                "Further products, one a line: an open line of theirs keeps a second one from being made.",
                "lines",
            ),
            FormField("update_only", "Only update", "Takes care of lines that are there and never makes one.", "yes"),
        ),
    ),
    Group(
        "Quantity",
        (
            FormField("quantity.basis", "What is counted", "Which number of the vendor is billed.", "choice", _BASES),
            FormField("quantity.include_grace", "Bill the grace period", "Expired, but still usable.", "yes"),
            FormField("quantity.include_foreign", "Bill what others sold", "Subscriptions of another partner.", "yes"),
            FormField("quantity.include_trials", "Bill trials", "Trials are left out otherwise.", "yes"),
            FormField(
                "quantity.without_subscriptions", "Leave out", "Ids of subscriptions not counted, one a line.", "lines"
            ),
            FormField(
                "quantity.without_statuses",
                "Leave out by status",
                "Subscriptions of these are not counted: the vendor's words, one a line, such as PendingManual.",
                "lines",
            ),
            FormField("quantity.divide_by", "Divide by", "Units of the count in a billed one; 1073741824 for GB."),
            FormField("quantity.multiply_by", "Multiply by", "Billed units for each of these."),
            FormField("quantity.included", "Included", "Units that are free, taken off first."),
            FormField("quantity.minimum", "At least", "Billed at least, while anything is counted."),
            FormField("quantity.minimum_always", "Minimum always", "The minimum holds even at a count of 0.", "yes"),
            FormField(
                "quantity.rounding",
                "Rounding",
                "Where a quantity between two steps goes.",
                "choice",
                (("none", "none"), ("up", "up"), ("down", "down"), ("nearest", "to the nearest")),
            ),
            FormField("quantity.rounding_step", "Rounding step", "Quantities are multiples of it."),
            FormField("combine", "Combine SKUs", "All SKUs with this profile are one line.", "yes"),
            FormField("split", "Split subscriptions", "Every subscription is a line of its own.", "yes"),
            FormField(
                "commitment_floor",
                "Commitment floor",
                "A split subscription is billed for at least what was committed to.",
                "yes",
            ),
            FormField(
                "arrears",
                "Usage",
                "Usage is billed once its period is over; seats are not.",
                "choice",
                (("", "no usage: seats"), ("last", "by the last reading"), ("highest", "by the highest reading")),
            ),
            FormField(
                "counted_on",
                "When it is counted",
                "On which days the vendor's counts are taken.",
                "choice",
                (
                    ("", "as the MSP's rules say"),
                    ("night", "every night"),
                    ("vendor-invoice", "when the vendor's invoice appears"),
                    ("before-invoice", "the day before the agreement's next invoice; what was counted then holds"),
                ),
            ),
        ),
    ),
    Group(
        "Users who are counted",
        forms.users("quantity.users"),
    ),
    Group(
        "Price",
        (
            FormField(
                "price.kind",
                "Price",
                "Where the unit price comes from. Where what stands is kept, a new line has the product's price.",
                "choice",
                _PRICES,
            ),
            FormField("price.amount", "Own price", "A unit's price, with a price of its own."),
            FormField("price.markup", "Markup", "Percent on the vendor's cost."),
            FormField(
                "price.bands",
                "Bands",
                "One a line: up to; price; product (may be left out; with the one reached for all only of usage). The "
                "last begins with * for all further.",
                "bands",
            ),
            FormField(
                "price.per",
                "Prices are for",
                "A month is multiplied for longer billing cycles.",
                "choice",
                (("cycle", "a billing cycle"), ("month", "a month")),
            ),
            FormField(
                "price.decimals", "Decimals", "Of a price that is worked out from the vendor's, 0 to 5.", "whole"
            ),
            FormField("price.write_cost", "Write the cost", "The vendor's cost becomes the line's unit cost.", "yes"),
            FormField(
                "price.below_cost",
                "Below cost",
                "A price below what a unit costs.",
                "choice",
                (("allow", "is written"), ("refuse", "is a finding, nothing is written")),
            ),
        ),
    ),
    Group(
        "Changes within a period",
        (
            FormField("proration.rule", "Proration", "What a seat costs that comes within a period.", "choice", _RULES),
            FormField(
                "proration.start_day",
                "First day",
                "Whether the day on which a seat comes counts: not with distributors, but with Microsoft and Manage.",
                "choice",
                (("excluded", "does not count"), ("included", "counts")),
            ),
            FormField(
                "proration.first_sync",
                "First time",
                "What is owed for the days before an item is first seen.",
                "choice",
                (
                    ("next-period", "nothing"),
                    ("prorate", "from that day on"),
                    ("full-period", "the whole period"),
                ),
            ),
            FormField(
                "proration.decrease",
                "Fewer seats",
                "What becomes of seats that go within a period.",
                "choice",
                (("keep", "charged to its end"), ("credit", "the rest is credited")),
            ),
            FormField(
                "proration.dated",
                "Dated",
                "From which day on a change is charged.",
                "choice",
                (("vendor", "the vendor's own day, where it tells one"), ("count", "the day on which we counted it")),
            ),
            FormField("proration.always_split", "Always split", "Every change ends a line and begins another.", "yes"),
        ),
    ),
    Group(
        "On the invoice",
        (
            FormField(
                "bill_option",
                "Billing",
                "What Manage does with the line.",
                "choice",
                (("Billable", "bill it"), ("NoCharge", "show it without a charge"), ("DoNotBill", "do not bill it")),
            ),
            FormField(
                "taxable",
                "Taxable",
                "Whether taxes are charged.",
                "choice",
                (("", "as Manage says"), ("true", "yes"), ("false", "no")),
            ),
            FormField(
                "invoice_text",
                "Text",
                "May hold {product}, {quantity} and {users}; empty leaves Manage's own.",
                "area",
            ),
            FormField(
                "drift",
                "A person edits the line",
                "What becomes of that.",
                "choice",
                (("ask", "ask me"), ("restore", "put it back"), ("accept", "keep it until something changes")),
            ),
        ),
    ),
)
#: The words of the list of profiles for what the form offers as choices.
WORDS = {name: dict(choices) for name, choices in (("basis", _BASES), ("price", _PRICES), ("proration", _RULES))}
FIELDS = forms.fields_in(GROUPS)


def with_types(types: Sequence[str]) -> tuple[Group, ...]:
    """The form in which agreement types are chosen among these; typed as before where there are none."""
    choices = tuple((name, name) for name in types)
    help_ = "Only agreements of these types are billed on; without any all are."

    def filled(field: FormField) -> FormField:
        is_typed = field.place != "agreement_types" or not choices
        return field if is_typed else replace(field, help=help_, choices=choices)

    return tuple(replace(group, fields=tuple(map(filled, group.fields))) for group in GROUPS)


def texts_of(fields: Mapping[str, Any]) -> dict[str, str]:
    """What stands in the form for a profile's fields."""
    return forms.texts_of(FIELDS, fields)


def fields_of(form: Mapping[str, str]) -> dict[str, Any]:
    """The profile's fields that a form gives; what is empty is left to its default."""
    return forms.fields_of(FIELDS, form)
