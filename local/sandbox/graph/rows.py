"""Graph's resources as JSON: subscribedSku, companySubscription, user, organization, delegatedAdminCustomer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from local.sandbox.world import Subscription, Tenant, User
from local.sandbox.world.model import Group, part_number

Row = dict[str, Any]
_STATES = {"enabled": "Enabled", "warning": "Warning", "suspended": "Suspended", "lockedOut": "LockedOut"}
_PLAN = {
    "servicePlanId": "113feb6c-3fe4-4440-bddc-54d774bf0318",
    "servicePlanName": "EXCHANGE_S_FOUNDATION",
    "provisioningStatus": "Success",
    "appliesTo": "Company",
}


def sku_row(tenant: Tenant, sku: str, *, wrong: bool = False) -> Row:
    """A subscribedSku. Its prepaidUnits are the sums of the subscriptions by status, unless they shall be `wrong`."""
    subscriptions = tenant.subscriptions_of(sku)
    units = {
        state: sum(item.licenses for item in subscriptions if item.status == status)
        for state, status in _STATES.items()
    }
    if wrong:
        units["enabled"] = units["enabled"] * 2 + 1
    status = next((status for state, status in _STATES.items() if units[state]), "Deleted")
    return {
        "accountName": tenant.domain.partition(".")[0],
        "accountId": tenant.id,
        "appliesTo": "User",
        "capabilityStatus": status,
        "consumedUnits": tenant.consumed(sku),
        "id": f"{tenant.id}_{sku}",
        "prepaidUnits": units,
        "servicePlans": [dict(_PLAN)],
        "skuId": sku,
        "skuPartNumber": part_number(sku),
        "subscriptionIds": [item.id for item in subscriptions],
    }


def subscription_row(subscription: Subscription) -> Row:
    """A companySubscription; `ownerTenantId` is null where nobody is named as the seller."""
    return {
        "id": subscription.id,
        "commerceSubscriptionId": subscription.commerce_id,
        "createdDateTime": _moment(subscription.created),
        "isTrial": subscription.trial,
        "nextLifecycleDateTime": _moment(subscription.renews),
        "skuId": subscription.sku,
        "skuPartNumber": part_number(subscription.sku),
        "status": subscription.status,
        "totalLicenses": subscription.licenses,
        "ownerTenantId": subscription.owner,
        "ownerType": "User",
        "serviceStatus": [],
    }


def group_row(group: Group) -> Row:
    visibility = "HiddenMembership" if group.hidden else None
    return {"id": group.id, "displayName": group.name, "visibility": visibility, "mailEnabled": False}


def member_row(key: str, *, is_group: bool) -> Row:
    kind = "group" if is_group else "user"
    return {"@odata.type": f"#microsoft.graph.{kind}", "id": key}


def user_row(user: User) -> Row:
    given, _, surname = user.name.partition(" ")
    number = user.number
    joined = datetime(2019, 1, 1, 8, tzinfo=UTC) + timedelta(days=number % 2500)
    return {
        "id": user.id,
        "displayName": user.name,
        "givenName": given,
        "surname": surname,
        "userPrincipalName": user.upn,
        "mail": user.mails[0] if user.mails else None,
        "proxyAddresses": [f"{'smtp' if at else 'SMTP'}:{mail}" for at, mail in enumerate(user.mails)],
        "jobTitle": user.title,
        "mobilePhone": f"+1 555 01{number % 100:02d}" if number % 2 else None,
        "businessPhones": [f"+1 555 02{number % 100:02d}"] if number % 3 else [],
        "officeLocation": user.office,
        "department": user.department,
        "preferredLanguage": None,
        "accountEnabled": user.enabled,
        "userType": "Guest" if user.guest else "Member",
        "onPremisesSyncEnabled": True if number % 5 == 0 else None,
        "passwordPolicies": "DisablePasswordExpiration" if number % 4 == 0 else None,
        "createdDateTime": _moment(joined),
        "signInActivity": _sign_ins(joined + timedelta(days=30, minutes=number)) if number % 7 else None,
        "assignedLicenses": [{"skuId": sku, "disabledPlans": []} for sku in sorted(user.skus)],
    }


def _sign_ins(last: datetime) -> Row:
    names = ("lastSignInDateTime", "lastNonInteractiveSignInDateTime", "lastSuccessfulSignInDateTime")
    return {name: _moment(last) for name in names}


def organization_row(tenant: Tenant) -> Row:
    """With the domain in use, one kept from an older name, and the one that Microsoft gave it."""
    used = {"isInitial": False, "type": "Managed", "capabilities": "Email, OfficeCommunicationsOnline"}
    domains = [
        {"name": tenant.domain, "isDefault": True, **used},
        {"name": f"old-{tenant.domain}", "isDefault": False, **used},
        {"name": _given_domain(tenant), "isDefault": False, **used, "isInitial": True},
    ]
    return {"id": tenant.id, "displayName": tenant.name, "verifiedDomains": domains}


def contract_row(tenant: Tenant) -> Row:
    """As on the day on which it was made: of many tenants that was before they had a domain of their own."""
    is_old = int(tenant.id[-1], 16) % 2 == 0
    return {
        "id": tenant.id,
        "contractType": "ResellerPartner",
        "customerId": tenant.id,
        "defaultDomainName": _given_domain(tenant) if is_old else tenant.domain,
        "displayName": tenant.name,
    }


def _given_domain(tenant: Tenant) -> str:
    return f"{tenant.domain.partition('.')[0]}.onmicrosoft.com"


def customer_row(tenant: Tenant) -> Row:
    return {
        "@odata.type": "#microsoft.graph.delegatedAdminCustomer",
        "id": tenant.id,
        "tenantId": tenant.id,
        "displayName": tenant.name,
    }


def relationship_row(tenant: Tenant) -> Row:
    """Extended by itself for ever, unless the tenant's relationship ends; a tenant that vanished has ended it."""
    ends = tenant.relationship_ends
    return {
        "id": f"{tenant.id}-{tenant.partner}",
        "displayName": f"TrueUp for {tenant.name}",
        "customer": {"tenantId": tenant.id, "displayName": tenant.name},
        "status": "terminated" if tenant.vanished else "active",
        "activatedDateTime": "2026-01-01T00:00:00Z",
        "autoExtendDuration": "P180D" if ends is None else "PT0S",
        "endDateTime": "2028-01-01T00:00:00Z" if ends is None else f"{ends.isoformat()}T00:00:00Z",
    }


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
