"""The composition root: settings in, real adapters out, once per process at first use."""

from __future__ import annotations

import logging
import os
from datetime import date
from functools import cache

from shared.billing.subscribers import Channel
from shared.clock import Clock, SandboxClock, SystemClock
from shared.manage.callback_keys import SigningKeys
from shared.manage.callbacks import CallbackReader
from shared.manage.client import ManageClient
from shared.manage.discovery import host_of
from shared.notices.channels.graph import GraphPost
from shared.notices.channels.smtp import SmtpPost
from shared.notices.channels.teams import TeamsPost
from shared.notices.ports import CheckedPost, NoticePorts, Post
from shared.queues import StorageQueue
from shared.settings import ChangedLine, Settings, load_settings
from shared.sources.azure.source import AzureSource
from shared.sources.cove.source import CoveSource
from shared.sources.huntress.source import HuntressSource
from shared.sources.microsoft365.certificate import last_day
from shared.sources.microsoft365.charged import ChargedMicrosoft365
from shared.sources.microsoft365.mail import Microsoft365Mailbox
from shared.sources.microsoft365.settings import MicrosoftSettings
from shared.sources.microsoft365.source import Microsoft365Source
from shared.sources.pax8.source import Pax8Source
from shared.sources.protocol import Source
from shared.sources.pushed.source import PushedSource
from shared.state.backups import AzureBackups, BackupRecordStore, Backups
from shared.state.balances import BalanceStore
from shared.state.callbacks import CallbackStore
from shared.state.companies import CompanyStore
from shared.state.company_state_store import CompanyStateStore
from shared.state.contacts import ContactStore
from shared.state.directory import DirectoryStore
from shared.state.due import DueStore
from shared.state.erasure import Erasure
from shared.state.health import HealthStore
from shared.state.notices import NoticeStore
from shared.state.own_manage import ManageName, OwnManage
from shared.state.poison import PoisonStore
from shared.state.pushes import PushStore
from shared.state.readings import ReadingStore
from shared.state.rules import RulesStore
from shared.state.runs import RunStore
from shared.state.schedules import ScheduleStore
from shared.state.subscriptions import SubscriptionSkus
from shared.state.tables import AzureTables
from shared.state.tickets import TicketStore
from shared.state.usage import ChargeStore, UsageStore
from shared.state.vendor_invoices import VendorInvoiceStore
from shared.sync.ports import Limits, Ports
from shared.web.principal import Access


@cache
def ports() -> Ports:
    """The ports of this process. Raises `Misconfigured` with every problem of the settings, each time it is asked."""
    return make_ports(load_settings(os.environ))


@cache
def notice_ports() -> NoticePorts:
    """The same with what telling people needs. Raises `Misconfigured` as `ports` does."""
    return make_notice_ports(load_settings(os.environ), ports())


@cache
def access() -> Access:
    """How people are known to be signed in. Raises `Misconfigured` as `ports` does."""
    return load_settings(os.environ).access


def make_ports(settings: Settings) -> Ports:
    """Real adapters for these settings. Nothing is called before it is used."""
    _quieten_libraries()
    tables = AzureTables(settings.storage)
    own_manage = _own_manage(settings, tables)
    manage = ManageClient(settings.manage, may_write=own_manage.check)
    clock, pushes = _clock(settings), PushStore(tables)
    return Ports(
        clock=clock,
        queue=StorageQueue(settings.storage),
        manage=manage,
        own_manage=own_manage,
        contacts=manage.contacts,
        sources=_sources(settings, clock, pushes, tables),
        rules=RulesStore(tables),
        companies=CompanyStore(tables),
        company_state=CompanyStateStore(tables),
        runs=RunStore(tables),
        schedules=ScheduleStore(tables),
        readings=ReadingStore(tables),
        vendor_invoices=VendorInvoiceStore(tables),
        balances=BalanceStore(tables),
        pushes=pushes,
        push_keys=settings.pushed.keys,
        push_age=settings.pushed.age,
        directory=DirectoryStore(tables),
        contact_rows=ContactStore(tables),
        due=DueStore(tables),
        erasure=Erasure(tables),
        callbacks=CallbackStore(tables),
        poison=PoisonStore(tables),
        callback_reader=CallbackReader(SigningKeys(settings.manage), settings.manage.company),
        callback_url=settings.callback_url,
        limits=Limits(lanes=settings.lanes, lease=settings.lease_seconds),
        retroactive=settings.changed_line is ChangedLine.RETROACTIVE,
        prorate_start_day=settings.prorate_start_day,
        time_zone=settings.time_zone,
        settings=settings.shown,
        consent_url=settings.microsoft.consent_url if settings.microsoft is not None else None,
        backups=_backups(settings, tables),
        channels={name.value: post for name, post in _posts(settings, clock).items() if isinstance(post, CheckedPost)},
    )


def make_notice_ports(settings: Settings, flows: Ports) -> NoticePorts:
    """Real channels for these settings, beside these ports. Nothing is called before it is used."""
    told, tables = settings.notices, AzureTables(settings.storage)
    return NoticePorts(
        flows=flows,
        notices=NoticeStore(tables),
        # The timer makes one call at a time, beside the flows.
        tickets=ManageClient(settings.manage, may_write=flows.own_manage.check).tickets,
        ticket_rows=TicketStore(tables),
        health=HealthStore(tables),
        posts=_posts(settings, flows.clock),
        console=told.console,
        alerts=told.alerts,
        secrets_end={**told.secrets_end, **_certificate_ends(settings)},
    )


def _own_manage(settings: Settings, tables: AzureTables) -> OwnManage:
    return OwnManage(tables, ManageName(settings.manage.company, host_of(settings.manage)))


def _posts(settings: Settings, clock: Clock) -> dict[Channel, Post]:
    """The channels that the settings make."""
    told = settings.notices
    posts: dict[Channel, Post] = {}
    if told.smtp is not None:
        posts[Channel.MAIL] = SmtpPost(told.smtp, clock.now)
    elif told.mailbox is not None and settings.microsoft is not None:
        posts[Channel.MAIL] = GraphPost(Microsoft365Mailbox(settings.microsoft, told.mailbox), clock.now)
    if told.teams:
        posts[Channel.TEAMS] = TeamsPost(told.teams)
    return posts


def _certificate_ends(settings: Settings) -> dict[str, date]:
    """The last day of the certificate that the settings hold: nobody has to write it down."""
    day = last_day(settings.microsoft) if settings.microsoft is not None else None
    return {} if day is None else {"microsoft365": day}


def _backups(settings: Settings, tables: AzureTables) -> Backups | None:
    if settings.backup_days == 0:
        return None
    return Backups(tables, AzureBackups(settings.storage), settings.backup_days, BackupRecordStore(tables))


def _clock(settings: Settings) -> Clock:
    if settings.clock_url is not None:
        return SandboxClock(settings.clock_url, settings.time_zone)
    return SystemClock(settings.time_zone)


def _sources(settings: Settings, clock: Clock, pushes: PushStore, tables: AzureTables) -> dict[str, Source]:
    """The registry: one line per source."""
    sources: list[Source] = []
    if settings.microsoft is not None:
        sources.append(_microsoft365(settings.microsoft, settings.charges_currency, clock, tables))
    if settings.azure is not None:
        sources.append(AzureSource(settings.azure, UsageStore(tables), clock.business_now))
    if settings.pax8 is not None:
        sources.append(Pax8Source(settings.pax8))
    if settings.huntress is not None:
        sources.append(HuntressSource(settings.huntress))
    if settings.cove is not None:
        sources.append(CoveSource(settings.cove))
    sources += [PushedSource(name, pushes, clock.business_now, settings.pushed.age) for name in settings.pushed.keys]
    return {source.name: source for source in sources}


def _microsoft365(settings: MicrosoftSettings, currency: str | None, clock: Clock, tables: AzureTables) -> Source:
    if currency is None:
        return Microsoft365Source(settings)
    subscriptions = SubscriptionSkus(CompanyStore(tables), CompanyStateStore(tables))
    return ChargedMicrosoft365(settings, currency, ChargeStore(tables), subscriptions, clock.business_now)


def _quieten_libraries() -> None:
    """Libraries that write a line per call, or repeat what our own errors say."""
    logging.getLogger("azure.core.pipeline.policies.http_logging_policy").setLevel(logging.WARNING)
    logging.getLogger("azure.identity").setLevel(logging.ERROR)
    logging.getLogger("httpx").setLevel(logging.WARNING)
