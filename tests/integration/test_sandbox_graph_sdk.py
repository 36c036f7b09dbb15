"""Microsoft's own libraries, azure-identity and the typed calls of msgraph-sdk, work against the sandbox unchanged."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientSecretCredential
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_authentication_azure.azure_identity_authentication_provider import AzureIdentityAuthenticationProvider
from msgraph import GraphRequestAdapter, GraphServiceClient
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph_core import GraphClientFactory

from local.sandbox.running import SandboxThread
from local.sandbox.server import Options
from local.sandbox.world import Consent, Tenant

with warnings.catch_warnings():
    # The SDK deprecates parts of itself and warns of them while it is imported.
    warnings.simplefilter("ignore", DeprecationWarning)
    from msgraph.generated.users.users_request_builder import UsersRequestBuilder

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
SCOPE = "https://graph.microsoft.com/.default"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxThread]:
    with SandboxThread(Options(companies=15, seed=7, now=datetime(2026, 11, 21, 2, tzinfo=UTC))) as thread:
        yield thread


@contextmanager
def credential_for(sandbox: SandboxThread, tenant: str, secret: str | None = None) -> Iterator[ClientSecretCredential]:
    """A credential that may ask for tokens of any tenant, closed afterwards."""
    settings = sandbox.settings()
    credential = ClientSecretCredential(
        tenant,
        settings["MICROSOFT_CLIENT_ID"],
        secret or settings["MICROSOFT_CLIENT_SECRET"],
        authority=settings["MICROSOFT_AUTHORITY"],
        disable_instance_discovery=True,
        connection_verify=settings["MICROSOFT_CA_FILE"],
        additionally_allowed_tenants=["*"],
    )
    try:
        yield credential
    finally:
        credential.close()


def asked(sandbox: SandboxThread, tenant: str, question: Callable[[GraphServiceClient], Awaitable[Any]]) -> Any:
    """Runs one question with a client for the tenant."""

    async def ask(credential: ClientSecretCredential) -> Any:
        # The factory wraps the transport and forgets to close it, so it is given one that we close.
        transport = httpx.AsyncHTTPTransport()
        http = GraphClientFactory.create_with_default_middleware(client=httpx.AsyncClient(transport=transport))
        provider = AzureIdentityAuthenticationProvider(credential, scopes=[SCOPE])
        adapter = GraphRequestAdapter(provider, client=http)
        adapter.base_url = sandbox.settings()["MICROSOFT_GRAPH_URL"]
        try:
            return await question(GraphServiceClient(request_adapter=adapter))
        finally:
            await transport.aclose()

    with credential_for(sandbox, tenant) as credential:
        return asyncio.run(ask(credential))


def usual_tenant(sandbox: SandboxThread) -> Tenant:
    tenants = sandbox.msp.customers_of(sandbox.msp.partners[0].id)
    return next(t for t in tenants if t.consent is Consent.GRANTED and not t.answers_empty and len(t.users) > 12)


def test_subscribed_skus_come_typed_with_their_units(sandbox: SandboxThread) -> None:
    tenant = usual_tenant(sandbox)

    async def question(client: GraphServiceClient) -> Any:
        return await client.subscribed_skus.get()

    rows = asked(sandbox, tenant.id, question).value
    assert {row.sku_id for row in rows} == {UUID(sku) for sku in tenant.skus()}
    for row in rows:
        sold = [item for item in tenant.subscriptions_of(str(row.sku_id)) if item.status == "Enabled"]
        assert row.prepaid_units.enabled == sum(item.licenses for item in sold)
        assert row.consumed_units == tenant.consumed(str(row.sku_id))


def test_subscriptions_come_typed_with_status_and_owner(sandbox: SandboxThread) -> None:
    tenant = usual_tenant(sandbox)

    async def question(client: GraphServiceClient) -> Any:
        return await client.directory.subscriptions.get()

    rows = asked(sandbox, tenant.id, question).value
    got = [(row.id, row.sku_id, row.status, row.total_licenses, row.is_trial, row.owner_tenant_id) for row in rows]
    assert got == [(s.id, s.sku, s.status, s.licenses, s.trial, s.owner) for s in tenant.subscriptions]


def test_members_of_a_group_come_typed_also_through_groups_in_it(sandbox: SandboxThread) -> None:
    tenant = usual_tenant(sandbox)
    group = next(each for each in tenant.groups().values() if each.name == "Front office")

    async def question(client: GraphServiceClient) -> Any:
        found = client.groups.by_group_id(group.id)
        return await found.get(), await found.transitive_members.get()

    named, members = asked(sandbox, tenant.id, question)
    users = {user.id for user in tenant.users if user.department in ("Sales", "Service")}
    assert (named.id, named.display_name) == (group.id, "Front office")
    assert {each.id for each in members.value if each.odata_type == "#microsoft.graph.user"} == users
    assert {each.id for each in members.value} - users == set(group.members)


def test_licensed_users_come_in_pages_by_their_next_links(sandbox: SandboxThread) -> None:
    tenant = usual_tenant(sandbox)
    query = UsersRequestBuilder.UsersRequestBuilderGetQueryParameters(
        select=["id", "userPrincipalName", "accountEnabled", "assignedLicenses"],
        filter="assignedLicenses/$count ne 0",
        count=True,
        top=5,
    )
    first = RequestConfiguration(query_parameters=query)
    later: RequestConfiguration[Any] = RequestConfiguration()
    for configuration in (first, later):
        configuration.headers.add("ConsistencyLevel", "eventual")

    async def question(client: GraphServiceClient) -> list[Any]:
        pages = [await client.users.get(request_configuration=first)]
        while pages[-1].odata_next_link:
            link = client.users.with_url(pages[-1].odata_next_link)
            pages.append(await link.get(request_configuration=later))
        return pages

    pages = asked(sandbox, tenant.id, question)
    users = [user for page in pages for user in page.value]
    licensed = list(tenant.licensed_users())
    assert [(user.id, user.account_enabled) for user in users] == [(user.id, user.enabled) for user in licensed]
    assert [{str(held.sku_id) for held in user.assigned_licenses} for user in users] == [u.skus for u in licensed]
    assert pages[0].odata_count == len(licensed)
    assert len(pages) == -(-len(licensed) // 5)


def test_the_partner_tenant_lists_its_customers(sandbox: SandboxThread) -> None:
    partner = sandbox.msp.partners[0].id

    async def question(client: GraphServiceClient) -> Any:
        return await client.tenant_relationships.delegated_admin_customers.get()

    rows = asked(sandbox, partner, question).value
    listed = [(row.tenant_id, row.display_name) for row in rows]
    assert listed == [(tenant.id, tenant.name) for tenant in sandbox.msp.customers_of(partner)]


def test_a_role_that_was_not_granted_is_an_odata_error_with_its_request_id(sandbox: SandboxThread) -> None:
    tenant = next(t for t in sandbox.msp.tenants.values() if t.consent is Consent.ROLE_DENIED)

    async def question(client: GraphServiceClient) -> Any:
        return await client.organization.get()

    with pytest.raises(ODataError) as caught:
        asked(sandbox, tenant.id, question)
    error = caught.value
    assert error.response_status_code == 403
    assert error.error is not None
    assert error.error.code == "Authorization_RequestDenied"
    assert error.error.inner_error is not None
    assert error.error.inner_error.request_id == error.response_headers["request-id"]


@pytest.mark.parametrize(
    ("consent", "code"), [(Consent.MISSING, 700016), (Consent.INCOMPLETE, 65001), (Consent.GONE, 90002)]
)
def test_a_missing_consent_is_a_client_authentication_error_with_its_code(
    sandbox: SandboxThread, consent: Consent, code: int
) -> None:
    tenant = next(t for t in sandbox.msp.tenants.values() if t.consent is consent)
    with (
        credential_for(sandbox, tenant.id) as credential,
        pytest.raises(ClientAuthenticationError, match=f"AADSTS{code}"),
    ):
        credential.get_token(SCOPE)


def test_one_credential_serves_every_tenant(sandbox: SandboxThread) -> None:
    tenants = [sandbox.msp.partners[0].id, usual_tenant(sandbox).id]
    with credential_for(sandbox, tenants[0]) as credential:
        tokens = {credential.get_token(SCOPE, tenant_id=tenant).token for tenant in tenants}
    assert len(tokens) == 2


def test_a_wrong_secret_is_refused(sandbox: SandboxThread) -> None:
    with (
        credential_for(sandbox, sandbox.msp.partners[0].id, secret="guessed") as credential,
        pytest.raises(ClientAuthenticationError, match="AADSTS7000215"),
    ):
        credential.get_token(SCOPE)
