"""What the made-up MSP sells: true Microsoft SKU ids, made-up Manage products and prices."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

CLOUD = "Cloud Subscriptions"
MANAGED = "Managed Services"
BACKUP = "Backup"
BLOCK_HOURS = "Block Hours"
AGREEMENT_TYPES = (CLOUD, MANAGED, BACKUP, BLOCK_HOURS)


@dataclass(frozen=True, slots=True)
class Sku:
    """A SKU of Microsoft 365 that costs money.

    `product` is the identifier in Manage's catalog; `price` and `cost` are per seat and month in US dollars. The rules
    bill every SKU with a profile of the same name in lower case, except those of UNMAPPED and INCLUDED.
    """

    product: str
    part_number: str
    id: str
    price: Decimal
    cost: Decimal
    name: str

    @property
    def profile(self) -> str:
        return self.product.lower()

    @property
    def mapped(self) -> bool:
        return self.product not in UNMAPPED and self.product not in INCLUDED

    @property
    def agreement_type(self) -> str:
        """The type of agreement on which the MSP bills it."""
        return MANAGED if self.product == "DEF-P1" else CLOUD


@dataclass(frozen=True, slots=True)
class FreeSku:
    """A SKU that Microsoft gives away, with the number of units it pretends were bought."""

    part_number: str
    id: str
    units: int


@dataclass(frozen=True, slots=True)
class OtherProduct:
    """A catalog item that has nothing to do with Microsoft 365: its lines must never be touched."""

    product: str
    description: str
    price: Decimal
    cost: Decimal
    agreement_type: str


_PAID = """
M365-BP SPB cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46 24.50 17.60 Microsoft 365 Business Premium
M365-BS O365_BUSINESS_PREMIUM f245ecc8-75af-4f8e-b61f-27d8114de5f3 14.00 10.00 Microsoft 365 Business Standard
M365-BB O365_BUSINESS_ESSENTIALS 3b555118-da6a-4418-894f-7df1e2096870 6.80 4.80 Microsoft 365 Business Basic
EXO-P1 EXCHANGESTANDARD 4b9405b0-7788-4568-add1-99614e613b69 4.50 3.20 Exchange Online (Plan 1)
M365-E3 SPE_E3 05e9a617-0261-4cee-bb44-138d3ef5d965 39.90 31.20 Microsoft 365 E3
M365-E5 SPE_E5 06ebc4ee-1bb5-47dd-8120-11324bc54e06 62.50 48.00 Microsoft 365 E5
M365-F3 SPE_F1 66b55226-6b4f-492c-910c-a3b7a3c9d993 9.40 6.40 Microsoft 365 F3
O365-E3 ENTERPRISEPACK 6fd2c87f-b296-42f0-b197-1e91e994b900 26.40 19.20 Office 365 E3
TEAMS-PHONE MCOEV e43b5b99-8dfb-405f-9987-dc307f34bcbd 11.20 8.00 Microsoft Teams Phone Standard
PBI-PRO POWER_BI_PRO f8a1db68-be16-40ed-86d5-cb42ce701560 15.60 11.20 Power BI Pro
DEF-P1 DEFENDER_ENDPOINT_P1 16a55f2f-ff35-4cd5-9146-fb784e3761a5 4.20 2.40 Microsoft Defender for Endpoint P1
ENTRA-P1 AAD_PREMIUM 078d2b04-f1bd-4111-bbd4-b4b1b354cef4 6.90 4.80 Microsoft Entra ID P1
PROJECT-P3 PROJECTPROFESSIONAL 53818b1b-4a27-454b-8896-0dba576410e6 33.00 24.00 Planner and Project Plan 3
M365-COPILOT Microsoft_365_Copilot 639dec6b-bb19-468b-871c-c5c441c4b0cb 33.90 24.00 Microsoft Copilot for Microsoft 365
VISIO-P2 VISIOCLIENT c5928f49-12ba-48f7-ada3-0d743a3601d5 17.20 12.00 Visio Plan 2
TEAMS-ROOMS Microsoft_Teams_Rooms_Pro 4cde982a-ede4-4409-9ae6-b003453c8ea6 47.00 32.00 Microsoft Teams Rooms Pro
EXO-ARCHIVE EXCHANGEARCHIVE_ADDON ee02fd1b-340e-4a4b-b355-4a514e4c8943 3.30 2.40 Exchange Online Archiving
"""

#: Paid SKUs for which nobody has yet said how to bill them.
UNMAPPED = ("VISIO-P2", "TEAMS-ROOMS")
#: A paid SKU that is part of what the MSP sells anyway: the rules say *do not bill*.
INCLUDED = ("EXO-ARCHIVE",)


def _paid(row: str) -> Sku:
    product, part, sku_id, price, cost, name = row.split(maxsplit=5)
    return Sku(product, part, sku_id, Decimal(price), Decimal(cost), name)


SKUS = {sku.product: sku for sku in map(_paid, _PAID.strip().splitlines())}
SKUS_BY_ID = {sku.id: sku for sku in SKUS.values()}

POWER_AUTOMATE_FREE = FreeSku("FLOW_FREE", "f30db892-07e9-47e9-837c-80727f46fd3d", 10_000)
FABRIC_FREE = FreeSku("POWER_BI_STANDARD", "a403ebcc-fae0-4ca2-8c8c-7a907fd6c235", 1_000_000)
TEAMS_EXPLORATORY = FreeSku("TEAMS_EXPLORATORY", "710779e8-3d4a-4c88-adb9-386c958d1fdf", 10_000)
FREE_SKUS = (POWER_AUTOMATE_FREE, FABRIC_FREE, TEAMS_EXPLORATORY)

PART_NUMBERS = {sku.id: sku.part_number for sku in SKUS.values()}
PART_NUMBERS |= {free.id: free.part_number for free in FREE_SKUS}

OTHER_PRODUCTS = (
    OtherProduct("BKP-GB", "Cloud backup, per GB", Decimal("0.12"), Decimal("0.05"), BACKUP),
    OtherProduct("BKP-SRV", "Server backup agent", Decimal("45.00"), Decimal("19.00"), BACKUP),
    OtherProduct("SEC-AGENT", "Managed detection agent", Decimal("7.50"), Decimal("3.10"), MANAGED),
    OtherProduct("RMM-WS", "Workstation monitoring", Decimal("9.00"), Decimal("2.20"), MANAGED),
    OtherProduct("HOURS-10", "Ten service hours", Decimal("1200.00"), Decimal("700.00"), BLOCK_HOURS),
)
