"""What the made-up MSP buys from vendors beside Microsoft, and the lines that somebody keeps for it in Manage."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from local.sandbox.pax8.world import PRODUCTS, Product
from local.sandbox.world.skus import CLOUD

HUNTRESS, COVE, PAX8 = "huntress", "cove", "pax8"


@dataclass(frozen=True, slots=True)
class VendorProduct:
    """A SKU of a source, by TrueUp's word for it, and the product that bills it; `price` and `cost` per unit and month.

    The rules bill it with a profile of the product's name in lower case.
    """

    source: str
    sku: str
    product: str
    name: str
    price: Decimal
    cost: Decimal

    @property
    def profile(self) -> str:
        return self.product.lower()

    @property
    def agreement_type(self) -> str:
        """The type of agreement on which the MSP bills it."""
        return CLOUD


_SOLD = """
huntress edr HUNT-EDR 6.50 2.80 Huntress Managed EDR
huntress itdr HUNT-ITDR 4.00 1.60 Huntress Managed ITDR
huntress sat HUNT-SAT 3.00 1.20 Huntress Managed SAT
huntress siem HUNT-SIEM 9.00 4.50 Huntress Managed SIEM
cove physical-server COVE-SRV 69.00 31.00 Cove server backup
cove virtual-server COVE-VM 49.00 22.00 Cove virtual server backup
cove workstation COVE-WS 12.00 4.20 Cove workstation backup
cove m365-user COVE-M365 3.50 1.10 Cove Microsoft 365 backup
cove recovery-testing COVE-RT 25.00 9.00 Cove recovery testing
"""

#: What is counted and not billed by itself: storage comes with the device, the rest is given away.
UNBILLED = (
    (COVE, "documents"),
    (COVE, "standby-image"),
    (COVE, "used-storage"),
    (COVE, "selected-storage"),
)


def _sold(row: str) -> VendorProduct:
    source, sku, product, price, cost, name = row.split(maxsplit=5)
    return VendorProduct(source, sku, product, name, Decimal(price), Decimal(cost))


def _resold(product: Product) -> VendorProduct:
    """What is bought through Pax8, by the month whatever its term."""
    months = 12 if product.term == "Annual" else 1
    price, cost = (Decimal(str(amount)) / months for amount in (product.price, product.cost))
    sku, manage = f"{product.id}:{product.term.lower()}", product.name.split()[0].upper()
    return VendorProduct(PAX8, sku, manage, product.name, price, cost)


#: In the catalog, but in nobody's rules before somebody wants to bill them.
AGENTS = VendorProduct("pushed:rmm", "agent", "RMM-AGENT", "RMM agent", Decimal("3.20"), Decimal("1.10"))
STORAGE = VendorProduct(COVE, "used-storage", "COVE-GB", "Cove storage, per GB", Decimal("0.12"), Decimal("0.05"))
RANGES = VendorProduct(COVE, "used-storage", "COVE-RANGE", "Cove storage, by range", Decimal(95), Decimal(40))

VENDOR_PRODUCTS = (*map(_sold, _SOLD.strip().splitlines()), *map(_resold, PRODUCTS))


def products_of(source: str) -> tuple[VendorProduct, ...]:
    return tuple(product for product in VENDOR_PRODUCTS if product.source == source)
