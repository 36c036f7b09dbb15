"""The settings of each vendor: what is given, checked, and how to make it once nothing is wrong anywhere."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Literal, cast, get_args

from shared.billing.counting.feeds import COMBINED
from shared.environment import for_example
from shared.given import Given, url_problem
from shared.sources.azure.settings import AzureSettings
from shared.sources.cove.settings import CoveSettings
from shared.sources.huntress.settings import HuntressSettings
from shared.sources.microsoft365.settings import MicrosoftSettings
from shared.sources.pax8.settings import STATUSES, Pax8Settings
from shared.sources.pushed.settings import NAME, PushedSettings

Credential = Literal["managed-identity", "certificate", "secret"]


def read_microsoft(given: Given) -> Callable[[], MicrosoftSettings]:
    """Tenants, the app registration, and the credential that its kind needs."""
    if not (given.has("MICROSOFT_PARTNER_TENANTS") or given.has("MICROSOFT_DIRECT_TENANTS")):
        given.required("MICROSOFT_PARTNER_TENANTS", ", and so is MICROSOFT_DIRECT_TENANTS")
    given.required("MICROSOFT_CLIENT_ID")
    sku_names = given.text("MICROSOFT_SKU_NAMES")
    return partial(
        MicrosoftSettings,
        partner_tenants=given.guids("MICROSOFT_PARTNER_TENANTS"),
        direct_tenants=given.guids("MICROSOFT_DIRECT_TENANTS"),
        client_id=given.guid("MICROSOFT_CLIENT_ID") or "",
        credential=_credential(given),
        identity_client_id=given.guid("MICROSOFT_IDENTITY_CLIENT_ID"),
        certificate_file=given.file("MICROSOFT_CERTIFICATE_FILE"),
        certificate_data=_certificate(given),
        client_secret=given.text("MICROSOFT_CLIENT_SECRET"),
        authority=_authority(given) or MicrosoftSettings.authority,
        graph_url=given.url("MICROSOFT_GRAPH_URL") or MicrosoftSettings.graph_url,
        ca_file=given.file("MICROSOFT_CA_FILE"),
        partner_center_url=_partner_center(given),
        partner_center_scope=given.text("MICROSOFT_PARTNER_CENTER_SCOPE") or MicrosoftSettings.partner_center_scope,
        sku_names=given.url("MICROSOFT_SKU_NAMES") if "://" in (sku_names or "") else given.file("MICROSOFT_SKU_NAMES"),
    )


def _partner_center(given: Given) -> str | None:
    """Where terms are asked for, by a partner tenant."""
    if not given.any_of("MICROSOFT_PARTNER_CENTER_"):
        return None
    given.required("MICROSOFT_PARTNER_TENANTS", " with MICROSOFT_PARTNER_CENTER_URL")
    given.required("MICROSOFT_PARTNER_CENTER_URL", " with MICROSOFT_PARTNER_CENTER_SCOPE")
    return given.url("MICROSOFT_PARTNER_CENTER_URL")


def _authority(given: Given) -> str | None:
    url = given.url("MICROSOFT_AUTHORITY")
    if url and not url_problem(url) and not url.startswith("https://"):
        given.problem("MICROSOFT_AUTHORITY", "must begin with https://, on this machine too")
    return url


def _credential(given: Given) -> Credential:
    """The kind of credential, which needs its own settings."""
    kind = given.required("MICROSOFT_CREDENTIAL")
    why = f" with MICROSOFT_CREDENTIAL {kind}"
    if kind == "managed-identity":
        given.required("MICROSOFT_IDENTITY_CLIENT_ID", why)
    elif kind == "secret":
        given.required("MICROSOFT_CLIENT_SECRET", why)
    elif kind == "certificate":
        given.exactly_one("MICROSOFT_CERTIFICATE_FILE", "MICROSOFT_CERTIFICATE", why)
    elif kind:
        given.problem("MICROSOFT_CREDENTIAL", f"must be one of {', '.join(get_args(Credential))}")
    return cast(Credential, kind)


def _certificate(given: Given) -> str | None:
    text = given.text("MICROSOFT_CERTIFICATE")
    try:
        base64.b64decode("".join((text or "").split()), validate=True)
    except binascii.Error:
        given.problem("MICROSOFT_CERTIFICATE", "must be a PEM or PFX file in base64, on one line")
    return text


def read_charges_currency(given: Given) -> str | None:
    """The currency in which Microsoft bills licences (ISO 4217), None where its charges are not read."""
    if not given.has("MICROSOFT_CHARGES_CURRENCY"):
        return None
    given.required("MICROSOFT_PARTNER_TENANTS", " with MICROSOFT_CHARGES_CURRENCY")
    return (given.matching("MICROSOFT_CHARGES_CURRENCY", "[A-Za-z]{3}", "a currency of three letters") or "").upper()


def read_azure(given: Given) -> Callable[[MicrosoftSettings], AzureSettings]:
    """With the app registration of Microsoft 365."""
    given.required("MICROSOFT_PARTNER_TENANTS", " with MICROSOFT_AZURE_CURRENCY")
    given.required("MICROSOFT_AZURE_CURRENCY", " with MICROSOFT_AZURE_SETTLED_DAYS")
    currency = given.matching("MICROSOFT_AZURE_CURRENCY", "[A-Za-z]{3}", "a currency of three letters") or ""
    days = given.whole_number("MICROSOFT_AZURE_SETTLED_DAYS", default=3, lowest=1, highest=10)
    return partial(AzureSettings, currency=currency.upper(), settled_days=days)


def read_pax8(given: Given) -> Callable[[], Pax8Settings]:
    """The credentials, and what of Pax8 counts."""
    return partial(
        Pax8Settings,
        client_id=given.required("PAX8_CLIENT_ID"),
        client_secret=given.required("PAX8_CLIENT_SECRET"),
        url=given.url("PAX8_URL") or Pax8Settings.url,
        token_url=given.url("PAX8_TOKEN_URL") or Pax8Settings.token_url,
        audience=given.text("PAX8_AUDIENCE") or Pax8Settings.audience,
        billable=_billable(given),
        usage=_counts_usage(given),
    )


def _counts_usage(given: Given) -> bool:
    word = (given.text("PAX8_USAGE") or "none").casefold()
    if word not in ("none", "invoices"):
        given.problem("PAX8_USAGE", "must be none or invoices")
    return word == "invoices"


def _billable(given: Given) -> frozenset[str]:
    """Statuses in lower case; those that Pax8 charges for when nothing is said."""
    words = {word.strip().casefold() for word in (given.text("PAX8_BILLABLE_STATUSES") or "").split(",")} - {""}
    if words - STATUSES:
        given.problem("PAX8_BILLABLE_STATUSES", f"must hold Pax8's own words, {for_example('PAX8_BILLABLE_STATUSES')}")
    return frozenset(words) or Pax8Settings.billable


def read_huntress(given: Given) -> Callable[[], HuntressSettings]:
    """The pair of keys."""
    return partial(
        HuntressSettings,
        public_key=given.required("HUNTRESS_PUBLIC_KEY"),
        private_key=given.required("HUNTRESS_PRIVATE_KEY"),
        url=given.url("HUNTRESS_URL") or HuntressSettings.url,
    )


def read_cove(given: Given) -> Callable[[], CoveSettings]:
    """The API user, and below which partner it looks."""
    return partial(
        CoveSettings,
        partner=given.required("COVE_PARTNER"),
        username=given.required("COVE_USERNAME"),
        token=given.required("COVE_TOKEN"),
        url=given.url("COVE_URL") or CoveSettings.url,
    )


def read_pushed(given: Given) -> Callable[[], PushedSettings]:
    """Names and keys as `rmm=<key>,backup=<key>`; a name may come twice, while its key is replaced, a key may not."""
    keys: dict[str, tuple[str, ...]] = {}
    for entry in filter(None, (part.strip() for part in (given.text("PUSHED_KEYS") or "").split(","))):
        name, _, key = entry.partition("=")
        if not re.fullmatch(NAME, name) or not re.fullmatch(r"[!-~]{24,}", key):
            given.problem(
                "PUSHED_KEYS",
                "must hold names of small letters and digits, each with a key of 24 or more "
                "characters, separated by commas, " + for_example("PUSHED_KEYS"),
            )
        elif name == COMBINED:
            given.problem("PUSHED_KEYS", f"must name no source {COMBINED}: lines that several SKUs feed are called so")
        elif any(key in others for other, others in keys.items() if other != name):
            given.problem("PUSHED_KEYS", "must give every name a key of its own: one key stands under two names")
        keys[name] = (*keys.get(name, ()), key)
    hours = given.whole_number("PUSHED_HOURS", default=26, lowest=1, highest=744)
    return partial(PushedSettings, keys, timedelta(hours=hours))
