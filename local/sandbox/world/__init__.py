"""The made-up MSP: its tenants, its books in Manage, and its rules for TrueUp."""

from local.sandbox.world.model import Consent, LinkedCompany, Msp, Partner, Subscription, Tenant, User
from local.sandbox.world.msp import make_msp
from local.sandbox.world.rules import rules_document

__all__ = [
    "Consent",
    "LinkedCompany",
    "Msp",
    "Partner",
    "Subscription",
    "Tenant",
    "User",
    "make_msp",
    "rules_document",
]
