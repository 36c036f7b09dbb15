"""The sandbox's Graph and Entra over HTTP: tokens, paging, filters, batches and refusals, as Microsoft answers them."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, date, datetime
from email.message import EmailMessage
from typing import Any

import pytest
import requests

from local.sandbox.running import SandboxThread
from local.sandbox.server import Options
from local.sandbox.world import Consent, Tenant

NOW = datetime(2026, 11, 21, 2, tzinfo=UTC)
USERS = "/users?$select=id,userPrincipalName,accountEnabled,userType,assignedLicenses"
LICENSED = "&$filter=assignedLicenses/$count ne 0&$count=true"
EVENTUAL = {"ConsistencyLevel": "eventual"}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxThread]:
    with SandboxThread(Options(companies=30, seed=7, now=NOW)) as thread:
        yield thread


def token_answer(sandbox: SandboxThread, tenant: str, **changes: str) -> requests.Response:
    form = {
        "grant_type": "client_credentials",
        "client_id": sandbox.msp.client_id,
        "client_secret": sandbox.msp.client_secret,
        "scope": "https://graph.microsoft.com/.default",
    } | changes
    url = f"{sandbox.tls_url}/{tenant}/oauth2/v2.0/token"
    return requests.post(url, data=form, verify=str(sandbox.ca_file), timeout=10)


def graph(
    sandbox: SandboxThread, tenant: str, method: str, path: str, *, headers: dict[str, str] | None = None, **more: Any
) -> requests.Response:
    token = token_answer(sandbox, tenant).json()["access_token"]
    url = path if path.startswith("http") else f"{sandbox.url}/graph/v1.0{path}"
    headers = {"Authorization": f"Bearer {token}", **(headers or {})}
    return requests.request(method, url, headers=headers, timeout=10, **more)


def pages(sandbox: SandboxThread, tenant: str, path: str, **headers: str) -> list[dict[str, Any]]:
    found = [graph(sandbox, tenant, "GET", path, headers=headers).json()]
    while "@odata.nextLink" in found[-1]:
        found.append(graph(sandbox, tenant, "GET", found[-1]["@odata.nextLink"], headers=headers).json())
    return found


def tenant_with(sandbox: SandboxThread, consent: Consent) -> Tenant:
    return next(tenant for tenant in sandbox.msp.tenants.values() if tenant.consent is consent)


def usual_tenant(sandbox: SandboxThread) -> Tenant:
    tenants = sandbox.msp.customers_of(sandbox.msp.partners[0].id)
    return next(t for t in tenants if t.consent is Consent.GRANTED and not t.answers_empty and 10 < len(t.users) < 200)


def large_tenant(sandbox: SandboxThread) -> Tenant:
    return max(sandbox.msp.tenants.values(), key=lambda tenant: len(tenant.users))


def test_the_token_endpoint_is_found_by_discovery(sandbox: SandboxThread) -> None:
    tenant = usual_tenant(sandbox)
    url = f"{sandbox.tls_url}/{tenant.id}/v2.0/.well-known/openid-configuration"
    answer = requests.get(url, verify=str(sandbox.ca_file), timeout=10).json()
    assert answer["token_endpoint"] == f"{sandbox.tls_url}/{tenant.id}/oauth2/v2.0/token"
    assert {"issuer", "authorization_endpoint", "device_authorization_endpoint"} <= answer.keys()


@pytest.mark.parametrize(
    ("consent", "code"), [(Consent.MISSING, 700016), (Consent.INCOMPLETE, 65001), (Consent.GONE, 90002)]
)
def test_a_tenant_without_consent_gives_no_token_and_says_why(
    sandbox: SandboxThread, consent: Consent, code: int
) -> None:
    answer = token_answer(sandbox, tenant_with(sandbox, consent).id)
    assert answer.status_code == 400
    assert answer.json()["error_codes"] == [code]
    assert answer.json()["error_description"].startswith(f"AADSTS{code}: ")
    assert {"trace_id", "correlation_id", "timestamp"} <= answer.json().keys()


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"client_secret": "guessed"}, 401, 7000215),
        ({"client_id": "11111111-1111-1111-1111-111111111111"}, 400, 700016),
        ({"grant_type": "password"}, 400, 70003),
        ({"scope": "https://graph.microsoft.com/User.Read"}, 400, 1002012),
        ({"client_assertion": "not-a-jwt"}, 401, 700027),
    ],
)
def test_a_wrong_token_request_is_refused(
    sandbox: SandboxThread, changes: dict[str, str], status: int, code: int
) -> None:
    answer = token_answer(sandbox, usual_tenant(sandbox).id, **changes)
    assert (answer.status_code, answer.json()["error_codes"]) == (status, [code])


def test_an_assertion_stands_in_for_the_secret(sandbox: SandboxThread) -> None:
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    tenant = usual_tenant(sandbox).domain
    answer = token_answer(sandbox, tenant, client_secret="", client_assertion="a.b.c", client_assertion_type=kind)
    assert answer.status_code == 200


def test_without_a_token_of_ours_graph_answers_401_with_its_request_id(sandbox: SandboxThread) -> None:
    headers = {"Authorization": "Bearer made-up", "client-request-id": "mine"}
    answer = requests.get(f"{sandbox.url}/graph/v1.0/subscribedSkus", headers=headers, timeout=10)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (401, "InvalidAuthenticationToken")
    assert error["innerError"]["request-id"] == answer.headers["request-id"]
    assert error["innerError"]["client-request-id"] == answer.headers["client-request-id"] == "mine"


def test_a_tenant_whose_role_was_not_granted_answers_403(sandbox: SandboxThread) -> None:
    answer = graph(sandbox, tenant_with(sandbox, Consent.ROLE_DENIED).id, "GET", "/subscribedSkus")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "Authorization_RequestDenied")


def test_a_token_reads_its_own_tenant_and_no_other(sandbox: SandboxThread) -> None:
    tenant = usual_tenant(sandbox)
    body = graph(sandbox, tenant.id, "GET", "/subscribedSkus").json()
    assert [row["skuId"] for row in body["value"]] == tenant.skus()
    assert {row["accountId"] for row in body["value"]} == {tenant.id}
    organization = graph(sandbox, tenant.id, "GET", "/organization").json()["value"][0]
    assert (organization["id"], organization["displayName"]) == (tenant.id, tenant.name)


def test_subscriptions_name_their_seller_only_where_microsoft_does(sandbox: SandboxThread) -> None:
    rows = graph(sandbox, usual_tenant(sandbox).id, "GET", "/directory/subscriptions").json()["value"]
    assert usual_tenant(sandbox).partner in {row["ownerTenantId"] for row in rows}
    direct = graph(sandbox, sandbox.msp.direct_tenants()[0].id, "GET", "/directory/subscriptions").json()["value"]
    assert None in {row["ownerTenantId"] for row in direct}
    assert not {partner.id for partner in sandbox.msp.partners} & {row["ownerTenantId"] for row in direct}


def test_the_partner_lists_its_customers_in_pages_of_its_own(sandbox: SandboxThread) -> None:
    partner = sandbox.msp.partners[0].id
    found = pages(sandbox, partner, "/tenantRelationships/delegatedAdminCustomers?$top=10")
    rows = [row for page in found for row in page["value"]]
    assert [row["tenantId"] for row in rows] == [tenant.id for tenant in sandbox.msp.customers_of(partner)]
    assert len(found) == -(-len(rows) // 10)
    assert found[0]["@odata.nextLink"].startswith(f"{sandbox.url}/graph/v1.0/tenantRelationships/")


def test_contracts_keep_the_domain_of_the_day_on_which_they_were_made_and_tenants_tell_all(
    sandbox: SandboxThread,
) -> None:
    partner, direct = sandbox.msp.partners[0].id, sandbox.msp.direct_tenants()[0].id
    rows = graph(sandbox, partner, "GET", "/contracts?$top=999").json()["value"]
    own = {tenant.id: tenant.domain for tenant in sandbox.msp.customers_of(partner)}
    kept = [row["customerId"] for row in rows if row["defaultDomainName"] == own[row["customerId"]]]
    assert {row["customerId"] for row in rows} == own.keys()
    assert 0 < len(kept) < len(rows)
    assert graph(sandbox, direct, "GET", "/contracts").status_code == 403

    domains = graph(sandbox, usual_tenant(sandbox).id, "GET", "/organization").json()["value"][0]["verifiedDomains"]
    assert [domain["isDefault"] for domain in domains] == [True, False, False]
    assert domains[0]["name"] == usual_tenant(sandbox).domain
    assert domains[2]["name"].endswith(".onmicrosoft.com")


def test_only_a_partner_has_customers_and_at_most_300_come_at_once(sandbox: SandboxThread) -> None:
    path = "/tenantRelationships/delegatedAdminCustomers"
    assert graph(sandbox, usual_tenant(sandbox).id, "GET", path).status_code == 403
    assert graph(sandbox, sandbox.msp.partners[0].id, "GET", f"{path}?$top=301").status_code == 400


def test_more_than_999_licensed_users_need_a_second_page(sandbox: SandboxThread) -> None:
    tenant = large_tenant(sandbox)
    found = pages(sandbox, tenant.id, f"{USERS}{LICENSED}&$top=999", **EVENTUAL)
    ids = [row["id"] for page in found for row in page["value"]]
    assert [len(page["value"]) for page in found] == [999, len(ids) - 999]
    assert ids == [user.id for user in tenant.licensed_users()]
    assert found[0]["@odata.count"] == len(ids)


def test_users_without_top_come_by_the_hundred(sandbox: SandboxThread) -> None:
    body = graph(sandbox, large_tenant(sandbox).id, "GET", "/users").json()
    assert len(body["value"]) == 100
    assert "assignedLicenses" not in body["value"][0]
    assert "displayName" in body["value"][0]


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        (LICENSED, {}),
        ("&$filter=assignedLicenses/$count ne 0", EVENTUAL),
        ("&$filter=department eq 'x'&$count=true", EVENTUAL),
        ("&$top=1000", {}),
        ("&$skip=5", {}),
        ("&$skiptoken=made-up", {}),
    ],
)
def test_queries_that_graph_does_not_support_are_400(
    sandbox: SandboxThread, query: str, headers: dict[str, str]
) -> None:
    answer = graph(sandbox, usual_tenant(sandbox).id, "GET", USERS + query, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"]


def test_a_property_nobody_knows_cannot_be_selected(sandbox: SandboxThread) -> None:
    answer = graph(sandbox, usual_tenant(sandbox).id, "GET", "/users?$select=id,shoeSize")
    assert answer.status_code == 400
    assert "shoeSize" in answer.json()["error"]["message"]


def test_an_empty_tenant_answers_200_with_nothing(sandbox: SandboxThread) -> None:
    empty = next(tenant for tenant in sandbox.msp.tenants.values() if tenant.answers_empty)
    for path in ("/subscribedSkus", "/directory/subscriptions", "/users"):
        answer = graph(sandbox, empty.id, "GET", path)
        assert (answer.status_code, answer.json()["value"]) == (200, [])


def batch(sandbox: SandboxThread, tenant: str, *items: dict[str, Any]) -> requests.Response:
    return graph(sandbox, tenant, "POST", "/$batch", json={"requests": list(items)})


def test_a_batch_answers_every_item_by_its_id_even_when_some_fail(sandbox: SandboxThread) -> None:
    tenant = usual_tenant(sandbox)
    answer = batch(
        sandbox,
        tenant.id,
        {"id": "skus", "method": "GET", "url": "/subscribedSkus"},
        {"id": "users", "method": "GET", "url": f"{USERS}{LICENSED}&$top=999", "headers": EVENTUAL},
        {"id": "no-header", "method": "GET", "url": f"{USERS}{LICENSED}"},
        {"id": "nowhere", "method": "GET", "url": "/unheardOf"},
    )
    assert answer.status_code == 200
    items = {item["id"]: item for item in answer.json()["responses"]}
    statuses = {name: item["status"] for name, item in items.items()}
    assert statuses == {"skus": 200, "users": 200, "no-header": 400, "nowhere": 400}
    assert len(items["users"]["body"]["value"]) == len(list(tenant.licensed_users()))
    assert items["no-header"]["body"]["error"]["code"] == "Request_UnsupportedQuery"


def test_a_batch_takes_twenty_items_with_distinct_ids(sandbox: SandboxThread) -> None:
    items = [{"id": str(number), "method": "GET", "url": "/organization"} for number in range(21)]
    tenant = usual_tenant(sandbox).id
    assert batch(sandbox, tenant, *items[:20]).status_code == 200
    assert batch(sandbox, tenant, *items).status_code == 400
    assert batch(sandbox, tenant, items[0], items[0]).status_code == 400


def test_a_large_tenant_goes_on_after_its_batch_by_next_link(sandbox: SandboxThread) -> None:
    tenant = large_tenant(sandbox)
    item = {"id": "1", "method": "GET", "url": f"{USERS}{LICENSED}&$top=999", "headers": EVENTUAL}
    body = batch(sandbox, tenant.id, item).json()["responses"][0]["body"]
    rest = graph(sandbox, tenant.id, "GET", body["@odata.nextLink"], headers=EVENTUAL).json()
    assert len(body["value"]) + len(rest["value"]) == body["@odata.count"]
    assert "@odata.nextLink" not in rest


def test_a_partner_lists_its_relationships_with_their_ends(sandbox: SandboxThread) -> None:
    partner = sandbox.msp.partners[0]
    ending = sandbox.msp.customers_of(partner.id)[0]
    ending.relationship_ends = date(2026, 12, 5)
    path = "/tenantRelationships/delegatedAdminRelationships"
    selected = "$select=customer,status,autoExtendDuration,endDateTime&$top=300"

    (body,) = pages(sandbox, partner.id, f"{path}?$filter=status eq 'active'&{selected}")

    rows = {row["customer"]["tenantId"]: row for row in body["value"]}
    assert (rows[ending.id]["endDateTime"][:10], rows[ending.id]["autoExtendDuration"]) == ("2026-12-05", "PT0S")
    assert len(rows) == len(sandbox.msp.customers_of(partner.id))
    (everything,) = pages(sandbox, partner.id, f"{path}?{selected}")
    ended = {row["customer"]["tenantId"] for row in everything["value"] if row["status"] == "terminated"}
    assert ended == {it.id for it in sandbox.msp.tenants.values() if it.vanished and it.partner == partner.id}
    assert graph(sandbox, ending.id, "GET", path).status_code == 403
    assert graph(sandbox, partner.id, "GET", f"{path}?$filter=status eq 'gone'").status_code == 400


ISSUES = "/admin/serviceAnnouncement/issues"


def test_service_health_is_told_to_the_tenants_that_have_it_in_pages_and_refused_without_the_role(
    sandbox: SandboxThread,
) -> None:
    tenant, other, *_ = (each for each in sandbox.msp.tenants.values() if each.consent is Consent.GRANTED)
    issues = [
        {"id": f"EX{number:03}", "title": "Mail is delayed", "tenants": [tenant.id], "resolved": number == 0}
        for number in range(150)
    ]
    body = {"issues": [*issues, {"id": "EX999", "title": "Everywhere"}], "refused": [other.id]}
    assert requests.put(f"{sandbox.url}/_sandbox/health", json=body, timeout=10).json() == {"issues": 151, "refused": 1}

    first, second = pages(sandbox, tenant.id, f"{ISSUES}?$filter=isResolved eq false")
    rows = first["value"] + second["value"]
    assert (len(first["value"]), len(rows)) == (100, 150)
    assert {row["isResolved"] for row in rows} == {False}
    assert rows[0]["status"] == "ServiceDegradation"
    assert len(pages(sandbox, tenant.id, ISSUES)[0]["value"]) == 100
    assert graph(sandbox, tenant.id, "GET", f"{ISSUES}?$filter=status eq 'x'").status_code == 400
    assert graph(sandbox, other.id, "GET", ISSUES).status_code == 403
    requests.put(f"{sandbox.url}/_sandbox/health", json={}, timeout=10)


def test_mail_is_taken_from_a_mailbox_of_the_first_partner_tenant_only(sandbox: SandboxThread) -> None:
    partner = sandbox.msp.partners[0]
    message = {
        "subject": "TrueUp",
        "body": {"contentType": "HTML", "content": "<p>Told</p>"},
        "toRecipients": [{"emailAddress": {"address": "clerk@birchline.example"}}],
        "internetMessageHeaders": [{"name": "x-trueup-notice", "value": "1"}],
    }

    def sending(tenant: str, mailbox: str, **changes: Any) -> int:
        body = {"message": message | changes, "saveToSentItems": True}
        return graph(sandbox, tenant, "POST", f"/users/{mailbox}/sendMail", json=body).status_code

    own = f"trueup@{partner.domain}"
    assert sending(partner.id, own) == 202
    assert sending(partner.id, "trueup@elsewhere.example") == 404
    assert sending(usual_tenant(sandbox).id, own) == 403
    assert sending(partner.id, own, toRecipients=[]) == 400
    assert sending(partner.id, own, internetMessageHeaders=[{"name": "Reply-To", "value": "x"}]) == 400
    mime = EmailMessage()
    mime["From"], mime["To"], mime["Subject"] = own, "clerk@birchline.example", "TrueUp"
    mime.set_content("Told")
    mime.add_alternative("<p>Told</p>", subtype="html")

    def handing_over(content: bytes) -> int:
        path, headers = f"/users/{own}/sendMail", {"Content-Type": "text/plain"}
        return graph(sandbox, partner.id, "POST", path, data=content, headers=headers).status_code

    assert handing_over(base64.b64encode(bytes(mime))) == 202
    assert handing_over(bytes(mime)) == 400
    mime.replace_header("From", "boss@birchline.example")
    assert handing_over(base64.b64encode(bytes(mime))) == 403
    mail, whole = requests.get(f"{sandbox.url}/_sandbox/mails", timeout=10).json()["mails"]
    assert (whole["text"].strip(), whole["html"].strip()) == ("Told", "<p>Told</p>")
    assert (mail["sender"], mail["to"], mail["subject"]) == (own, ["clerk@birchline.example"], "TrueUp")
