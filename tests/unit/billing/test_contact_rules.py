"""Whose contacts are kept."""

from __future__ import annotations

from shared.billing.contact_rules import NO_CONTACTS, ContactMode, ContactRules


def test_a_company_has_its_own_mode_or_the_msp_s_and_without_rules_none():
    rules = ContactRules(mode=ContactMode.OBSERVE, companies={250: ContactMode.AUTO})
    assert [rules.mode_of(company) for company in (250, 251)] == [ContactMode.AUTO, ContactMode.OBSERVE]
    assert NO_CONTACTS.mode_of(250) is ContactMode.NONE
