"""What the Microsoft 365 source needs to know, and what is wrong with it when something is."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class MicrosoftSettings:
    """One app registration, the tenants it reads, and how it proves who it is.

    `partner_tenants` list their own customers; `direct_tenants` are read although no partner relationship lists them.
    `credential`: `managed-identity` is a user-assigned identity (`identity_client_id`) federated with the app;
    `certificate` takes a file (PEM or PFX with its key) or the same as base64; `secret` is for trials.
    `partner_center_url` is where partners whom Microsoft bills itself ask for terms, None to ask nobody.
    `ca_file` replaces the public authorities for every connection. `sku_names` is the path or https address of
    Microsoft's CSV of product names.
    """

    partner_tenants: tuple[str, ...]
    direct_tenants: tuple[str, ...]
    client_id: str
    credential: Literal["managed-identity", "certificate", "secret"]
    identity_client_id: str | None = None
    certificate_file: str | None = None
    certificate_data: str | None = field(default=None, repr=False)
    client_secret: str | None = field(default=None, repr=False)
    authority: str = "https://login.microsoftonline.com"
    graph_url: str = "https://graph.microsoft.com/v1.0"
    ca_file: str | None = None
    sku_names: str | None = None
    partner_center_url: str | None = None
    partner_center_scope: str = "https://api.partnercenter.microsoft.com/.default"

    @property
    def home_tenant(self) -> str:
        """The tenant of the app registration: the first partner tenant, or the first direct one."""
        return (*self.partner_tenants, *self.direct_tenants)[0]

    def consent_url(self, tenant: str) -> str:
        """Where an administrator of the tenant consents to the app and its roles."""
        return f"{self.authority.rstrip('/')}/{tenant}/adminconsent?client_id={self.client_id}"

    @property
    def at_microsoft(self) -> bool:
        """Whether tokens come from Microsoft's public cloud, whose directory of authorities knows the address."""
        return urlsplit(self.authority).hostname == "login.microsoftonline.com"

    def problems(self) -> list[str]:
        """One sentence for everything that must be corrected; empty when all is well."""
        return [*self.address_problems(), *self.credential_problems()]

    def address_problems(self) -> list[str]:
        tenants = (*self.partner_tenants, *self.direct_tenants)
        problems = [
            f"Microsoft 365: {tenant!r} is not a tenant id (a GUID); whose subscription is whose is told by ids."
            for tenant in tenants
            if not GUID.fullmatch(tenant.casefold())
        ]
        if not tenants:
            problems.append("Microsoft 365: name at least one partner tenant or direct tenant.")
        if urlsplit(self.authority).scheme != "https":
            problems.append("Microsoft 365: the authority must be an https address.")
        if not is_safe_url(self.graph_url):
            problems.append("Microsoft 365: the Graph address must begin with https (http only on this machine).")
        if self.sku_names and "://" in self.sku_names and not is_safe_url(self.sku_names):
            problems.append("Microsoft 365: the address of the SKU names must begin with https.")
        if self.partner_center_url is not None:
            problems += self._partner_center_problems(self.partner_center_url)
        return problems

    def _partner_center_problems(self, url: str) -> list[str]:
        problems = [] if self.partner_tenants else ["Microsoft 365: Partner Center needs a partner tenant."]
        if not is_safe_url(url):
            problems.append("Microsoft 365: the address of Partner Center must begin with https.")
        return problems

    def credential_problems(self) -> list[str]:
        problems = [] if self.client_id else ["Microsoft 365: the client id of the app registration is missing."]
        if self.credential == "managed-identity" and not self.identity_client_id:
            problems.append("Microsoft 365: a managed identity needs the client id of the user-assigned identity.")
        if self.credential == "certificate" and bool(self.certificate_file) == bool(self.certificate_data):
            problems.append("Microsoft 365: give the certificate either as a file or as base64 data.")
        if self.credential == "secret" and not self.client_secret:
            problems.append("Microsoft 365: the client secret is missing.")
        return problems


def is_safe_url(url: str) -> bool:
    """https, or http that never leaves this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
