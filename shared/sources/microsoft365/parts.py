"""The lists that Graph is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Part:
    """One list that Graph is asked for: what it is called in sentences, its address and the headers of every page.

    `optional`: the reading is whole without it, when it is not there or we may not see it.
    """

    what: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    optional: bool = False


SKUS = Part("the list of SKUs", "/subscribedSkus")
SUBSCRIPTIONS = Part("the list of subscriptions", "/directory/subscriptions")
#: Counting licences in a filter is an advanced query: it needs $count and the header, on further pages too.
USERS = Part(
    "the list of licensed users",
    "/users?$select=id,displayName,userPrincipalName,accountEnabled,userType,department,officeLocation,assignedLicenses"
    "&$filter=assignedLicenses/$count%20ne%200&$count=true&$top=999",
    {"ConsistencyLevel": "eventual"},
)
#: Everybody, not only who holds a licence.
ACCOUNTS = Part(
    "the list of users",
    "/users?$select=id,displayName,userPrincipalName,accountEnabled,userType,department,officeLocation,assignedLicenses,"
    "givenName,surname,mail,proxyAddresses,jobTitle,businessPhones,mobilePhone,onPremisesSyncEnabled,passwordPolicies,"
    "createdDateTime&$top=999",
)
#: A list of its own: where a tenant may not be asked for sign-ins, the whole request is refused.
SIGN_INS = Part("the list of sign-ins", "/users?$select=id,signInActivity&$top=500")
CUSTOMERS = Part("the list of customers", "/tenantRelationships/delegatedAdminCustomers?$top=300")
RELATIONSHIPS = Part(
    "the list of relationships",
    "/tenantRelationships/delegatedAdminRelationships"
    "?$select=customer,status,autoExtendDuration,activatedDateTime,endDateTime&$top=300",
)
#: Microsoft keeps what is resolved for weeks; what is open is told again by each row.
ISSUES = Part("the service health", "/admin/serviceAnnouncement/issues?$filter=isResolved%20eq%20false")
ORGANIZATION = Part("the organization", "/organization?$select=id,displayName,verifiedDomains")
#: Names and domains are copies of the day on which each contract was made.
CONTRACTS = Part("the list of contracts", "/contracts?$select=customerId,defaultDomainName&$top=999")
