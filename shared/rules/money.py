"""Parts of the rules document that say what a line costs, and what a part of a period does."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from shared.billing import profiles
from shared.billing.profiles import PriceKind, PriceRule
from shared.rules.parts import Part
from shared.rules.scalars import Number, Text, YesOrNo, wrong

#: The kinds of price that each of these fields goes with; the others go with every kind.
_KINDS = {
    "amount": (PriceKind.CUSTOM,),
    "markup": (PriceKind.COST,),
    "bands": (PriceKind.TIERED, PriceKind.VOLUME, PriceKind.PACKAGE),
    "decimals": (PriceKind.COST, PriceKind.RETAIL),
}


class Band(Part):
    upto: Number | None = None
    price: Number = Field(description="the unit price in this band, or that of the package, such as 8.00")
    product: Text | None = None


class Price(Part):
    kind: PriceKind = PriceRule().kind
    amount: Number | None = None
    markup: Number = PriceRule().markup
    bands: tuple[Band, ...] = ()
    per: profiles.PricePeriod = PriceRule().per
    decimals: Annotated[int, Field(ge=0, le=5)] = PriceRule().decimals
    write_cost: YesOrNo = PriceRule().write_cost
    below_cost: profiles.BelowCost = PriceRule().below_cost

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if self.kind is PriceKind.CUSTOM and self.amount is None:
            raise wrong("needs an amount with kind custom, such as amount: 25.00")
        for name, kinds in _KINDS.items():
            if self.kind not in kinds and getattr(self, name) != getattr(PriceRule(), name):
                told = f"{'an' if name == 'amount' else 'a' if name == 'markup' else 'its'} {name}"
                uses = " or ".join(used.value for used in kinds)
                raise wrong(
                    f"has {told}, which kind {self.kind.value} does not use; write kind: {uses} or leave it out"
                )
        return self

    @model_validator(mode="after")
    def _bands_ascend(self) -> Self:
        if self.kind not in _KINDS["bands"]:
            return self
        bounds = [band.upto for band in self.bands]
        if len(bounds) < 2 or bounds[-1] is not None or None in bounds[:-1]:
            raise wrong(f"needs at least two bands with kind {self.kind.value}, only the last one without upto")
        known = [upto for upto in bounds if upto is not None]
        if known != sorted(set(known)) or known[0] <= 0:
            raise wrong("has bands that do not ascend; each upto must be above the one before")
        return self

    def refuse_with_seats(self) -> None:
        """Raises where only usage in arrears can be billed so: the line of seats goes on with one product and price."""
        if self.kind is PriceKind.PACKAGE:
            raise wrong("has a price of kind package, which bills usage only; write arrears: highest or last beside it")
        if self.kind is PriceKind.VOLUME and any(band.product is not None for band in self.bands):
            raise wrong(
                "has a product in a band of kind volume, which bills usage only; write arrears: highest or last beside "
                "it, or kind: tiered"
            )


class Proration(Part):
    rule: profiles.ProrationRule = profiles.Proration().rule
    start_day: profiles.StartDay = profiles.Proration().start_day
    first_sync: profiles.FirstSync = profiles.Proration().first_sync
    always_split: YesOrNo = profiles.Proration().always_split
    decrease: profiles.Decrease = profiles.Proration().decrease
    dated: profiles.Dated = profiles.Proration().dated

    @model_validator(mode="after")
    def _credit_is_computed(self) -> Self:
        if self.decrease is profiles.Decrease.CREDIT and self.rule is not profiles.ProrationRule.COMPUTED:
            raise wrong("credits what goes, which only rule: computed can work out")
        return self
