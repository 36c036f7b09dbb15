"""From a site's name to the address of its API, by way of `/login/companyinfo`."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote, urlsplit

from shared.errors import Incomplete, Misconfigured
from shared.manage.failures import SYSTEM
from shared.manage.settings import ManageSettings

#: Hosts of the vendor's cloud, whose API answers under a name of its own.
_CLOUD = (".myconnectwise.net", ".connectwisedev.com")

_CODEBASE = re.compile(r"[A-Za-z0-9_.]+")


def company_info_url(site: str, company: str) -> str:
    """Where Manage tells, without credentials, which release serves a company."""
    return f"https://{site}/login/companyinfo/{quote(company, safe='')}"


def base_from(site: str, company: str, info: Any) -> str:
    """The API's base URL, from what `/login/companyinfo` answered; `null` there means that the company is unknown."""
    if info is None:
        raise Misconfigured([f"Manage: {site} does not know the company {company!r}."], system=SYSTEM)
    codebase = str(info.get("Codebase") or "").strip("/") if isinstance(info, dict) else ""
    if not _CODEBASE.fullmatch(codebase):
        raise Incomplete(
            f"{site} did not say which release serves the company {company!r}",
            system=SYSTEM,
            remedy="Set the base URL instead of the site.",
        )
    return f"https://{_api_host(site)}/{codebase}/apis/3.0"


def host_of(settings: ManageSettings) -> str:
    """The host of a Manage, in lower case and without its port; one name for where people sign in and for the API."""
    host = urlsplit(settings.base_url or f"//{settings.site}").hostname or ""
    return host.removeprefix("api-") if host.endswith(_CLOUD) else host


def _api_host(site: str) -> str:
    host = site.lower()
    return f"api-{host}" if host.endswith(_CLOUD) and not host.startswith("api-") else host
