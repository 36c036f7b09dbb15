"""Entra ID: tokens for the app, one tenant at a time, and the refusals Microsoft gives."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime

from aiohttp import web

from local.sandbox.world import Consent, Msp, Tenant

GRAPH, PARTNER_CENTER = "graph", "partner center"
#: What tokens are for, by the scope with which they are asked for.
_AUDIENCES = {
    "https://graph.microsoft.com/.default": GRAPH,
    "https://api.partnercenter.microsoft.com/.default": PARTNER_CENTER,
}
_JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

#: AADSTS code by what is wrong with the tenant: HTTP status, OAuth error, text.
_CONSENT_REFUSALS = {
    Consent.MISSING: (400, "unauthorized_client", 700016, "Application was not found in the directory '{tenant}'."),
    Consent.INCOMPLETE: (400, "invalid_grant", 65001, "The administrator has not consented to use the application."),
    Consent.GONE: (400, "invalid_request", 90002, "Tenant '{tenant}' not found."),
}


class Tokens:
    """The access tokens given out, each bound to one tenant and one audience. They mean nothing to anybody else."""

    def __init__(self) -> None:
        self._tenants: dict[tuple[str, str], str] = {}

    def issue(self, tenant: str, audience: str) -> str:
        token = secrets.token_urlsafe(32)
        self._tenants[token, audience] = tenant
        return token

    def tenant_of(self, token: str, audience: str = GRAPH) -> str | None:
        return self._tenants.get((token, audience))


class TokenRefused(Exception):
    """A token is not given; the numbers are Microsoft's."""

    def __init__(self, status: int, error: str, code: int, text: str) -> None:
        super().__init__(text)
        self.status, self.error, self.code, self.text = status, error, code, text

    def body(self) -> dict[str, object]:
        trace, correlation, now = str(uuid.uuid4()), str(uuid.uuid4()), f"{datetime.now(UTC):%Y-%m-%d %H:%M:%SZ}"
        text = f"AADSTS{self.code}: {self.text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {now}"
        return {
            "error": self.error,
            "error_description": text,
            "error_codes": [self.code],
            "timestamp": now,
            "trace_id": trace,
            "correlation_id": correlation,
        }


def grant(msp: Msp, tenant_name: str, form: Mapping[str, str]) -> Tenant:
    """The tenant for which the app may have a token. Raises `TokenRefused` as Microsoft would."""
    tenant = msp.tenant_named(tenant_name)
    if tenant is None:
        raise TokenRefused(*_refusal(Consent.GONE, tenant_name))
    if form.get("grant_type") != "client_credentials":
        raise TokenRefused(400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type.")
    if form.get("scope") not in _AUDIENCES:
        raise TokenRefused(400, "invalid_scope", 1002012, "The scope must end in /.default for client credentials.")
    if form.get("client_id") != msp.client_id:
        raise TokenRefused(*_refusal(Consent.MISSING, tenant_name))
    _check_credential(msp, form)
    if tenant.consent in _CONSENT_REFUSALS:
        raise TokenRefused(*_refusal(tenant.consent, tenant_name))
    return tenant


def _check_credential(msp: Msp, form: Mapping[str, str]) -> None:
    """A client secret must be ours; of an assertion only the form is checked (three parts), not who signed it."""
    assertion = form.get("client_assertion")
    if assertion is not None:
        if form.get("client_assertion_type") != _JWT_BEARER or assertion.count(".") != 2:
            raise TokenRefused(401, "invalid_client", 700027, "The certificate or assertion is not valid.")
    elif form.get("client_secret") != msp.client_secret:
        raise TokenRefused(401, "invalid_client", 7000215, "Invalid client secret provided.")


def _refusal(consent: Consent, tenant: str) -> tuple[int, str, int, str]:
    status, error, code, text = _CONSENT_REFUSALS[consent]
    return status, error, code, text.format(tenant=tenant)


def entra_routes(msp: Msp, tokens: Tokens) -> list[web.RouteDef]:
    """The two endpoints that a client-credentials program needs, per tenant (id or domain)."""

    async def configuration(request: web.Request) -> web.Response:
        authority = f"{request.scheme}://{request.host}/{request.match_info['tenant']}"
        return web.json_response(
            {
                "issuer": f"{authority}/v2.0",
                "authorization_endpoint": f"{authority}/oauth2/v2.0/authorize",
                "device_authorization_endpoint": f"{authority}/oauth2/v2.0/devicecode",
                "token_endpoint": f"{authority}/oauth2/v2.0/token",
            }
        )

    async def token(request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        try:
            tenant = grant(msp, request.match_info["tenant"], form)
        except TokenRefused as refused:
            return web.json_response(refused.body(), status=refused.status)
        answer = {"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599}
        return web.json_response({**answer, "access_token": tokens.issue(tenant.id, _AUDIENCES[form["scope"]])})

    return [
        web.get("/{tenant}/v2.0/.well-known/openid-configuration", configuration),
        web.post("/{tenant}/oauth2/v2.0/token", token),
    ]
