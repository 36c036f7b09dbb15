"""Settings: everything that a deployment is told through its environment, checked all at once.

The names are listed in `shared.environment`; `shared.given` reads them.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import partial
from typing import Literal, cast, get_args
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from shared.billing.counting.feeds import COMBINED
from shared.billing.profiles import StartDay
from shared.environment import ShownSetting, for_example, setting_names
from shared.errors import Misconfigured
from shared.given import Given, is_loopback, url_problem
from shared.manage.settings import CancelledDay, ManageSettings
from shared.notice_settings import read_notices
from shared.notices.settings import NoticeSettings
from shared.sources.azure.settings import AzureSettings
from shared.sources.cove.settings import CoveSettings
from shared.sources.huntress.settings import HuntressSettings
from shared.sources.microsoft365.settings import MicrosoftSettings
from shared.sources.pax8.settings import STATUSES, Pax8Settings
from shared.sources.pushed.settings import NAME, PushedSettings
from shared.state.tables import StorageConnection
from shared.web.principal import Access, Principal, Role

__all__ = ["Settings", "load_settings", "setting_names"]

#: Present on every Functions instance that Azure runs; nobody sets them.
PLATFORM_MARKS = ("WEBSITE_INSTANCE_ID", "WEBSITE_SITE_NAME")

#: Where the app takes callbacks.
CALLBACK_PATH = "/api/callbacks/manage"

#: The platform says with it that its sign-in stands before the app.
_SIGN_IN = "WEBSITE_AUTH_ENABLED"


class ChangedLine(StrEnum):
    """What Manage bills of a line that is changed after it was invoiced. Unconfirmed: `docs/calibration.md` asks.

    `next-invoice`: what it says then. `retroactive`: also the difference for the period that was invoiced last.
    """

    NEXT_INVOICE = "next-invoice"
    RETROACTIVE = "retroactive"


Credential = Literal["managed-identity", "certificate", "secret"]


@dataclass(frozen=True)
class Settings:
    """What a deployment is told. A vendor is None where it is not used; lease in seconds.

    `charges_currency` is the one in which Microsoft bills licences (ISO 4217), None where its charges are not read.
    """

    storage: StorageConnection
    manage: ManageSettings
    microsoft: MicrosoftSettings | None
    charges_currency: str | None
    azure: AzureSettings | None
    pax8: Pax8Settings | None
    huntress: HuntressSettings | None
    cove: CoveSettings | None
    pushed: PushedSettings
    time_zone: ZoneInfo
    changed_line: ChangedLine
    prorate_start_day: StartDay
    lanes: int
    lease_seconds: int
    backup_days: int
    clock_url: str | None
    callback_url: str | None
    notices: NoticeSettings
    access: Access
    shown: tuple[ShownSetting, ...]


def load_settings(environment: Mapping[str, str]) -> Settings:
    """The settings, all of them valid. Raises `Misconfigured` with every problem there is, one sentence each."""
    given = Given(environment)
    clock_url = _clock_url(given, environment)
    access = _access(given, environment)
    storage = _storage(given)
    manage = _manage(given)
    microsoft = _microsoft(given) if given.any_of("MICROSOFT_") else None
    azure = _azure(given) if given.any_of("MICROSOFT_AZURE_") else None
    charges_currency = _charges_currency(given)
    pax8 = _pax8(given) if given.any_of("PAX8_") else None
    huntress = _huntress(given) if given.any_of("HUNTRESS_") else None
    cove = _cove(given) if given.any_of("COVE_") else None
    pushed = _pushed(given)
    time_zone = _time_zone(given)
    changed_line = given.choice("TRUEUP_MANAGE_CHANGED_LINE", ChangedLine, ChangedLine.NEXT_INVOICE)
    prorate_start_day = given.choice("TRUEUP_MANAGE_PRORATE_START_DAY", StartDay, StartDay.INCLUDED)
    lanes = given.whole_number("TRUEUP_LANES", default=8, lowest=1, highest=64)
    # Tests against the sandbox let leases run out; nothing real is written under one of theirs.
    shortest = 2 if clock_url else 30
    lease_seconds = given.whole_number("TRUEUP_LEASE_SECONDS", default=300, lowest=shortest, highest=3600)
    backup_days = given.whole_number("TRUEUP_BACKUP_DAYS", default=30, lowest=0, highest=365)
    callback_url = _callback_url(given)
    notices = read_notices(given, in_sandbox=clock_url is not None)
    if given.problems:
        raise Misconfigured(given.problems)
    return Settings(
        storage=storage(),
        manage=manage(),
        microsoft=microsoft() if microsoft else None,
        charges_currency=charges_currency,
        azure=azure(microsoft()) if azure and microsoft else None,
        pax8=pax8() if pax8 else None,
        huntress=huntress() if huntress else None,
        cove=cove() if cove else None,
        pushed=pushed(),
        time_zone=time_zone,
        changed_line=changed_line,
        prorate_start_day=prorate_start_day,
        lanes=lanes,
        lease_seconds=lease_seconds,
        backup_days=backup_days,
        clock_url=clock_url,
        callback_url=callback_url,
        notices=notices(),
        access=access,
        shown=given.shown(),
    )


# Each of the following checks one part and answers how to make it, to be called when nothing is wrong anywhere.


def _storage(given: Given) -> Callable[[], StorageConnection]:
    """By connection string, or by identity: the account's name, or its three endpoints."""
    if given.has("AzureWebJobsStorage"):
        if given.any_of("AzureWebJobsStorage__"):
            given.problem("AzureWebJobsStorage", "must not be set beside AzureWebJobsStorage__…; keep the identity")
        form = r"UseDevelopmentStorage=true;?|(?i:.*\bAccountName=.*)"
        text = given.matching("AzureWebJobsStorage", form, "a connection string")
        return partial(StorageConnection, connection_string=text, table_url=None, queue_url=None, client_id=None)
    if not given.any_of("AzureWebJobsStorage__"):
        given.required("AzureWebJobsStorage__accountName", ", and so is AzureWebJobsStorage for the emulator")
    given.matching("AzureWebJobsStorage__accountName", "[a-z0-9]{3,24}", "the name of a storage account")
    return partial(
        StorageConnection,
        connection_string=None,
        table_url=_endpoint(given, "table"),
        queue_url=_endpoint(given, "queue"),
        client_id=given.guid("AzureWebJobsStorage__clientId"),
        blob_url=_endpoint(given, "blob"),
    )


def _endpoint(given: Given, service: str) -> str | None:
    account, name = "AzureWebJobsStorage__accountName", f"AzureWebJobsStorage__{service}ServiceUri"
    if given.has(name):
        return given.url(name)
    if given.has(account):
        return f"https://{given.text(account)}.{service}.core.windows.net"
    if given.any_of("AzureWebJobsStorage__"):
        given.required(name, f" where {account} is not set")
    return None


def _manage(given: Given) -> Callable[[], ManageSettings]:
    given.exactly_one("MANAGE_BASE_URL", "MANAGE_SITE")
    base_url = given.url("MANAGE_BASE_URL")
    if base_url and not base_url.endswith("/apis/3.0"):
        given.problem("MANAGE_BASE_URL", f"must end with /apis/3.0, {for_example('MANAGE_BASE_URL')}")
    return partial(
        ManageSettings,
        base_url=base_url,
        site=given.matching("MANAGE_SITE", r"[A-Za-z0-9.-]+(:[0-9]{1,5})?", "a host name without https://"),
        company=given.required("MANAGE_COMPANY"),
        public_key=given.required("MANAGE_PUBLIC_KEY"),
        private_key=given.required("MANAGE_PRIVATE_KEY"),
        client_id=given.required("MANAGE_CLIENT_ID"),
        api_version=given.matching("MANAGE_API_VERSION", r"[0-9]{4}\.[0-9]{1,3}", "a version of the API"),
        calls_in_flight=given.whole_number("MANAGE_CALLS_IN_FLIGHT", default=4, lowest=1, highest=64),
        ca_file=given.file("MANAGE_CA_FILE"),
        cancelled_day=given.choice("TRUEUP_MANAGE_CANCELLED_DAY", CancelledDay, CancelledDay.BILLED),
    )


def _microsoft(given: Given) -> Callable[[], MicrosoftSettings]:
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


def _charges_currency(given: Given) -> str | None:
    if not given.has("MICROSOFT_CHARGES_CURRENCY"):
        return None
    given.required("MICROSOFT_PARTNER_TENANTS", " with MICROSOFT_CHARGES_CURRENCY")
    return (given.matching("MICROSOFT_CHARGES_CURRENCY", "[A-Za-z]{3}", "a currency of three letters") or "").upper()


def _azure(given: Given) -> Callable[[MicrosoftSettings], AzureSettings]:
    """With the app registration of Microsoft 365."""
    given.required("MICROSOFT_PARTNER_TENANTS", " with MICROSOFT_AZURE_CURRENCY")
    given.required("MICROSOFT_AZURE_CURRENCY", " with MICROSOFT_AZURE_SETTLED_DAYS")
    currency = given.matching("MICROSOFT_AZURE_CURRENCY", "[A-Za-z]{3}", "a currency of three letters") or ""
    days = given.whole_number("MICROSOFT_AZURE_SETTLED_DAYS", default=3, lowest=1, highest=10)
    return partial(AzureSettings, currency=currency.upper(), settled_days=days)


def _pax8(given: Given) -> Callable[[], Pax8Settings]:
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


def _huntress(given: Given) -> Callable[[], HuntressSettings]:
    return partial(
        HuntressSettings,
        public_key=given.required("HUNTRESS_PUBLIC_KEY"),
        private_key=given.required("HUNTRESS_PRIVATE_KEY"),
        url=given.url("HUNTRESS_URL") or HuntressSettings.url,
    )


def _cove(given: Given) -> Callable[[], CoveSettings]:
    return partial(
        CoveSettings,
        partner=given.required("COVE_PARTNER"),
        username=given.required("COVE_USERNAME"),
        token=given.required("COVE_TOKEN"),
        url=given.url("COVE_URL") or CoveSettings.url,
    )


def _pushed(given: Given) -> Callable[[], PushedSettings]:
    """Names and keys as `rmm=<key>,backup=<key>`; a name may come twice, while its key is replaced."""
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
        keys[name] = (*keys.get(name, ()), key)
    hours = given.whole_number("PUSHED_HOURS", default=26, lowest=1, highest=744)
    return partial(PushedSettings, keys, timedelta(hours=hours))


def _time_zone(given: Given) -> ZoneInfo:
    try:
        return ZoneInfo(given.text("TRUEUP_TIME_ZONE") or "UTC")
    except (KeyError, ValueError, OSError):
        given.problem("TRUEUP_TIME_ZONE", f"must be an IANA time zone, {for_example('TRUEUP_TIME_ZONE')}")
        return ZoneInfo("UTC")


def _callback_url(given: Given) -> str | None:
    url = given.url("TRUEUP_CALLBACK_URL")
    if url and not url_problem(url) and not url.endswith(CALLBACK_PATH):
        given.problem("TRUEUP_CALLBACK_URL", f"must end with {CALLBACK_PATH}, {for_example('TRUEUP_CALLBACK_URL')}")
    return url


def _access(given: Given, environment: Mapping[str, str]) -> Access:
    """The platform's sign-in where it is switched on; a person made up by a setting on this machine only."""
    name = "TRUEUP_LOCAL_PERSON"
    who, _, role = (given.text(name) or "").rpartition(":")
    stand_in = None
    if given.has(name):
        marks = [mark for mark in (*PLATFORM_MARKS, _SIGN_IN) if environment.get(mark)]
        if marks:
            given.problem(name, f"is for one machine and refused on Azure ({marks[0]} is set); remove it")
        elif not who.strip() or role.strip() not in list(Role):
            given.problem(name, f"must be a name and one of {', '.join(Role)}, {for_example(name)}")
        else:
            stand_in = Principal(who.strip(), frozenset({Role(role.strip())}))
    return Access(environment.get(_SIGN_IN, "").casefold() == "true", stand_in)


def _clock_url(given: Given, environment: Mapping[str, str]) -> str | None:
    url = given.url("TRUEUP_CLOCK_URL")
    if url is None:
        return None
    marks = [mark for mark in PLATFORM_MARKS if environment.get(mark)]
    if marks:
        given.problem("TRUEUP_CLOCK_URL", f"is for the sandbox and refused on Azure ({marks[0]} is set); remove it")
    elif not url_problem(url) and not is_loopback(urlsplit(url).hostname or ""):
        given.problem("TRUEUP_CLOCK_URL", f"must be on this machine, {for_example('TRUEUP_CLOCK_URL')}")
    return url
