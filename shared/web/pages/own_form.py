"""The forms of a company's own choices and of guards: what each field is called, and what it does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.sync.shapes.own import OwnChoice, PricedProfile
from shared.web.formats import money, number
from shared.web.pages import forms
from shared.web.pages.forms import FormField, Group
from shared.web.pages.profile_form import WORDS

_GUARD_FIELDS = (
    (
        "What is held for a person to look at",
        (
            ("all_to_zero", "All counts of a vendor are zero", "Reductions are held on such a night."),
            ("reduction.percent", "Reduction in percent", "Of the highest quantity of 30 days; more is held."),
            ("reduction.small", "Small reductions", "Up to so many units the percentage is not asked for."),
            ("reduction.units", "Reduction in units", "More is held."),
            ("reduction.money", "Reduction in money", "From each invoice, in the agreement's currency; more is held."),
            ("increase.factor", "Increase, times", "What stood in 30 days; more is held."),
            ("increase.small", "Small increases", "Up to so many units the factor is not asked for."),
            ("changes_per_day", "Changes in a day", "Of one company; more are held."),
            ("invoiced_at_once", "Periods invoiced at once", "More between two looks hold the agreement."),
        ),
    ),
    (
        "What is told, and holds nothing",
        (
            ("ends_within_days", "Agreement ends within", "So many days before an agreement with our lines ends."),
            ("compare_forecast", "Manage's forecast", "Whose next invoice is compared with what Manage forecasts."),
        ),
    ),
)
_YES = (("true", "hold it"), ("false", "do not hold it"))
_COMPARED = (("untaxed", "agreements without taxes"), ("all", "all agreements"), ("none", "none"))
_CHOICES = {"all_to_zero": _YES, "compare_forecast": _COMPARED}


def licence_groups(told: OwnChoice, *, new: bool) -> tuple[Group, ...]:
    """The form of a licence link: `told` as `own_choice` tells it; with `new` it can be said which part it is for."""
    own = {} if new else {name: value not in (None, "", ()) for name, value in told["fields"].items()}
    policy = told["policy"]
    fields = [
        FormField("profile", "Profile", f"Which profile bills it here. {_policy(told)}", "choice", _profiles(told)),
        FormField(
            "agreement",
            "Agreement",
            f"{_billed_on(told)}Lines on another one end where the new ones begin.",
            "choice",
            (("", "the one that fits the profile"), *_agreements(told)),
        ),
        FormField("product", "Manage product", f"Its identifier in Manage's catalog. Empty: {_product(told)}."),
        FormField("price", "Price", f"Of one unit for each billing cycle{_in(told)}. Empty: {_price(told)}."),
        FormField(
            "cost",
            "Cost",
            f"Of one unit for each billing cycle{_in(told)}; it is written on lines. Empty: what others tell.",
        ),
        FormField("quantity", "Fixed quantity", "Billed whatever is counted. Empty: what is counted."),
        FormField("start", "Not before", "Nothing is billed before this day. Empty: as the profile begins.", "day"),
        FormField(
            "waive_until",
            "Waive until",
            "Seats that come up to this day cost nothing for the rest of their period. Empty: they do.",
            "day",
        ),
    ]
    title = "How it is billed here" if policy is not None or told["standing"] else "How it is billed here (no policy)"
    groups = [Group(title, tuple(_marked(field, own) for field in fields))]
    if new:
        groups.append(Group("Which part of it", tuple(_part(told))))
    users = tuple(_marked(field, _own_users(told) if not new else {}) for field in forms.users("users"))
    return (*groups, Group("Only some of its users", users))


def guard_groups(msp: Mapping[str, Any] | None, own: Mapping[str, Any] | None = None) -> tuple[Group, ...]:
    """The form of guards; a company's own where the MSP's are given, which hold where a field is empty."""
    return tuple(
        Group(title, tuple(_guard(place, label, help_, msp, own or {}) for place, label, help_ in fields))
        for title, fields in _GUARD_FIELDS
    )


#: What else the MSP limits.
FLEET = Group(
    "The whole night",
    (
        FormField(
            "fleet.percent",
            "Companies in percent",
            "When more of a vendor's companies reduce or are held, the rest of the night is only planned for it.",
        ),
        FormField("fleet.after", "Asked after", "So many companies of the vendor."),
        FormField("approvals.expire_days", "Approvals", "Days for which a group waits before it is planned anew."),
    ),
)


def _guard(place: str, label: str, help_: str, msp: Mapping[str, Any] | None, own: Mapping[str, Any]) -> FormField:
    choices = _CHOICES.get(place, ())
    if msp is not None:
        standing = forms.at(msp, place)
        words = dict(choices).get(forms.text_of(standing), "") or number(standing)
        if choices:
            choices = (("", f"as everywhere: {words}"), *choices)
        else:
            help_ = f"{help_} Empty: {words}, as everywhere."
    is_own = forms.at(own, place) is not None
    return FormField(f"guards.{place}", label, help_, "choice" if choices else "text", choices, is_own)


def _profiles(told: OwnChoice) -> forms.Choices:
    first = "as the policy says" if told["policy"] is not None else "Choose …"
    return (("", first), *((each["id"], each["name"]) for each in told["profiles"]))


def _policy(told: OwnChoice) -> str:
    if told["policy"] is None:
        return "No policy names one."
    named = told["policy"]["profile"]
    return f"The policy names {named['name']}." if named is not None else "The policy says: do not bill."


def _agreements(told: OwnChoice) -> forms.Choices:
    known = tuple(
        (
            str(each["id"]),
            f"{each['name']} ({each['type']}{'' if each['status'] == 'Active' else ', ' + each['status']})",
        )
        for each in told["agreements"]
    )
    named = told["fields"]["agreement"]
    if named is None or str(named) in dict(known):
        return known
    return (*known, (str(named), f"Agreement {named}, which was not seen"))


def _billed_on(told: OwnChoice) -> str:
    now = next((each["agreement"]["name"] for each in told["billed"] if each["agreement"]), None)
    return f"Now it is {now}. " if now is not None else ""


def _in(told: OwnChoice) -> str:
    """The currency in which the company is billed for it, where that is known and one."""
    found = {each["currency"] for each in told["billed"]} - {""}
    found = found or {each["currency"] for each in told["agreements"]} - {""}
    return f" in {found.pop()}" if len(found) == 1 else ", in the agreement's currency"


def _billing(told: OwnChoice) -> PricedProfile | None:
    """The profile that bills it here, its own or the policy's."""
    by_policy = told["policy"]["profile"] if told["policy"] is not None else None
    named = told["fields"]["profile"] or (by_policy["id"] if by_policy is not None else None)
    return next((each for each in told["profiles"] if each["id"] == named), None)


def _product(told: OwnChoice) -> str:
    profile = _billing(told)
    return f"{profile['product']}, as the profile says" if profile else "the profile's"


def _price(told: OwnChoice) -> str:
    """What holds without a price of its own."""
    profile = _billing(told)
    says = f"as the profile says, {WORDS['price'][profile['price']]}" if profile is not None else "as the profile says"
    prices = [money(each["price"], each["currency"]) for each in told["billed"] if each["price"] is not None]
    return f"{says} (now {prices[0]})" if len(prices) == 1 else says


def _part(told: OwnChoice) -> list[FormField]:
    fields = []
    if len(told["customers"]) > 1:
        customers = (("", "every customer"), *((each, each) for each in told["customers"]))
        help_ = "Billed for one of the company's customers at this vendor alone."
        fields.append(FormField("customer", "Customer", help_, "choice", customers))
    help_ = "Of letters, digits and hyphens, where several lines bill this SKU here, such as sales. Else empty."
    return [*fields, FormField("part", "Short name", help_)]


def _own_users(told: OwnChoice) -> dict[str, bool]:
    users = told["fields"]["users"]
    return {f"users.{half}.{trait}": bool(values) for half, traits in users.items() for trait, values in traits.items()}


def _marked(field: FormField, own: Mapping[str, bool]) -> FormField:
    return FormField(field.place, field.label, field.help, field.kind, field.choices, own.get(field.place, False))
