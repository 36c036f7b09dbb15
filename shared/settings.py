"""Settings: everything that a deployment is told through its environment, checked all at once.

The names are listed in `shared.environment`; `shared.given` reads them, `shared.vendor_settings` those of each vendor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

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
from shared.sources.pax8.settings import Pax8Settings
from shared.sources.pushed.settings import PushedSettings
from shared.state.tables import StorageConnection
from shared.vendor_settings import (
    read_azure,
    read_charges_currency,
    read_cove,
    read_huntress,
    read_microsoft,
    read_pax8,
    read_pushed,
)
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
    microsoft = read_microsoft(given) if given.any_of("MICROSOFT_") else None
    azure = read_azure(given) if given.any_of("MICROSOFT_AZURE_") else None
    charges_currency = read_charges_currency(given)
    pax8 = read_pax8(given) if given.any_of("PAX8_") else None
    huntress = read_huntress(given) if given.any_of("HUNTRESS_") else None
    cove = read_cove(given) if given.any_of("COVE_") else None
    pushed = read_pushed(given)
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
