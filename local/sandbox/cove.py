"""Cove's JSON-RPC: a login, then a chain of visas; customers as a tree, devices by column.

Errors come under HTTP 200. Every answer carries a fresh visa; one that was not used for fifteen minutes is worthless.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Annotated

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from local.sandbox.cove_rows import Row, UnknownColumn, device_row, partner_row
from local.sandbox.world.cove import ROOT_ID, BackupDevice, CoveTree, Kind, Recovery
from shared.errors import Gone

PATH = "/cove/jsonapi"
VISA_SECONDS = 15 * 60.0
_EXPIRED, _UNKNOWN_USER, _REFUSED, _NO_METHOD = 1701, 2100, 13501, -32601
_DEVICES_BY_SKU = {kind.value: kind for kind in (Kind.SERVER, Kind.VIRTUAL, Kind.WORKSTATION, Kind.DOCUMENTS)}
_PHYSICAL = tuple(_DEVICES_BY_SKU.values())

Units = Annotated[int, Field(ge=0, le=10_000)]
Bytes = Annotated[int, Field(ge=0, le=10**18)]


class CoveCounts(BaseModel):
    """What one customer shall have; what is left out stays. `state` is InProduction or InTrial, `gone` deletes it."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    customer: int
    physical_server: Annotated[Units | None, Field(alias="physical-server")] = None
    virtual_server: Annotated[Units | None, Field(alias="virtual-server")] = None
    workstation: Units | None = None
    documents: Units | None = None
    m365_user: Annotated[Units | None, Field(alias="m365-user")] = None
    recovery_testing: Annotated[Units | None, Field(alias="recovery-testing")] = None
    used_storage: Annotated[Bytes | None, Field(alias="used-storage")] = None
    selected_storage: Annotated[Bytes | None, Field(alias="selected-storage")] = None
    state: str | None = None
    gone: bool = False


def set_counts(tree: CoveTree, counts: CoveCounts) -> Row:
    """Adds and removes devices, and spreads users and bytes over them. Raises Gone where that cannot be done."""
    customer = tree.partners.get(counts.customer)
    if customer is None or customer.level != "EndCustomer":
        raise _nobody(f"there is no customer {counts.customer}")
    if counts.gone:
        _remove(tree, customer.id)
        return {"id": customer.id, "gone": True}
    for sku, kind in _DEVICES_BY_SKU.items():
        wanted = getattr(counts, sku.replace("-", "_"))
        if wanted is not None:
            _set_devices(tree, customer.id, kind, wanted)
    if counts.m365_user is not None:
        _set_users(tree, customer.id, counts.m365_user)
    _set_recovery(tree, customer.id, counts.recovery_testing)
    for name, wanted in (("used", counts.used_storage), ("selected", counts.selected_storage)):
        if wanted is not None:
            _set_bytes(tree, customer.id, name, wanted)
    customer.state = counts.state or customer.state
    return customer_summary(tree, customer.id)


def customer_summary(tree: CoveTree, customer: int) -> Row:
    partner = tree.partners[customer]
    whose = {"id": customer, "company": partner.company, "name": partner.name, "state": partner.state}
    return {**whose, "counts": tree.counts_of(customer)}


class Cove:
    """Answers for one MSP; `now` is real time in seconds."""

    def __init__(self, tree: CoveTree, now: Callable[[], float] = time.monotonic) -> None:
        self._tree = tree
        self._now = now
        self._visas: dict[str, float] = {}
        self._numbers = itertools.count(1)
        self._methods: dict[str, Callable[[Row, str | None], Row]] = {
            "EnumeratePartners": self._partners,
            "EnumerateAccountStatistics": self._statistics,
        }

    def routes(self) -> list[web.RouteDef]:
        return [web.post(PATH, self._answer)]

    async def _answer(self, request: web.Request) -> web.Response:
        try:
            call = await request.json()
            number, method, params = call["id"], call["method"], call.get("params") or {}
        except (ValueError, TypeError, KeyError):
            return web.json_response({"error": {"code": -32700, "message": "Parse error"}})
        try:
            result = self._result(method, params, call.get("visa"), request.get("fault"))
        except _Problem as problem:
            error = {"code": problem.code, "message": problem.message}
            return web.json_response({"jsonrpc": "2.0", "id": number, "error": error})
        return web.json_response({"jsonrpc": "2.0", "id": number, "visa": self.fresh_visa(), "result": result})

    def _result(self, method: str, params: Row, visa: object, fault: str | None) -> Row:
        if method == "Login":
            return self._login(params)
        if fault == "expired-visa" or not self.is_valid(str(visa)):
            raise _Problem(_EXPIRED, "Visa is corrupted or expired")
        if method not in self._methods:
            raise _Problem(_NO_METHOD, "Method not found")
        return self._methods[method](params, fault)

    def _login(self, params: Row) -> Row:
        ours = {"partner": self._tree.name, "username": self._tree.username, "password": self._tree.token}
        if params != ours:
            raise _Problem(_UNKNOWN_USER, "Unknown partner, user or wrong password")
        return {"result": {"PartnerId": ROOT_ID, "Name": self._tree.username, "Id": 1}}

    def is_valid(self, visa: str) -> bool:
        return visa in self._visas and self._now() < self._visas[visa] + VISA_SECONDS

    def fresh_visa(self) -> str:
        visa = f"visa-{next(self._numbers)}"
        self._visas[visa] = self._now()
        return visa

    def _partners(self, params: Row, _: str | None) -> Row:
        if params.get("parentPartnerId") != ROOT_ID or params.get("fetchRecursively") is not True:
            raise _Problem(_REFUSED, "Operation is not permitted for security reasons")
        return {"result": [partner_row(partner) for partner in self._tree.partners.values()]}

    def _statistics(self, params: Row, fault: str | None) -> Row:
        """A page of the devices below a partner. The server may give fewer rows than were asked for."""
        query = params.get("query") or {}
        whose = query.get("PartnerId")
        if whose != ROOT_ID and whose not in self._tree.partners:
            raise _Problem(_REFUSED, "Operation is not permitted for security reasons")
        start, count = int(query.get("StartRecordNumber", 0)), int(query.get("RecordsCount", 100))
        stop = start + {"short-page": max(1, count // 2), "empty-page": 0}.get(fault or "", count)
        below = self._tree.devices.values() if whose == ROOT_ID else self._tree.devices_of(whose)
        devices = sorted(below, key=lambda device: device.id)
        shown = devices[:count] if fault == "endless" else devices[start:stop]
        try:
            rows = [device_row(self._tree, device, list(query.get("Columns", []))) for device in shown]
        except UnknownColumn as unknown:
            raise _Problem(_REFUSED, f"Column {unknown} is not permitted") from None
        return {"result": rows, "totalStatistics": None}


class _Problem(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def _nobody(sentence: str) -> Gone:
    return Gone(sentence, system="sandbox", remedy="GET /_sandbox/cove lists the customers and what they have.")


def _remove(tree: CoveTree, customer: int) -> None:
    for device in tree.devices_of(customer):
        del tree.devices[device.id]
    for place in [item.id for item in tree.partners.values() if customer in (item.id, item.parent)]:
        del tree.partners[place]


def _set_devices(tree: CoveTree, customer: int, kind: Kind, wanted: int) -> None:
    present = [device for device in tree.devices_of(customer) if device.kind is kind]
    for device in present[wanted:]:
        del tree.devices[device.id]
    for _ in range(wanted - len(present)):
        tree.add_device(customer, kind)


def _set_users(tree: CoveTree, customer: int, wanted: int) -> None:
    tenants = [device for device in tree.devices_of(customer) if device.kind is Kind.MICROSOFT_365]
    first = tenants[0] if tenants else tree.add_device(customer, Kind.MICROSOFT_365)
    for device in tenants:
        device.users = 0
    first.users = wanted


def _set_recovery(tree: CoveTree, customer: int, wanted: int | None) -> None:
    servers = [device for device in tree.devices_of(customer) if device.kind in (Kind.SERVER, Kind.VIRTUAL)]
    if wanted is None:
        return
    if wanted > len(servers):
        raise _nobody(f"customer {customer} has only {len(servers)} servers to test")
    for position, device in enumerate(servers):
        device.recovery = Recovery.TESTING if position < wanted else Recovery.NONE


def _set_bytes(tree: CoveTree, customer: int, name: str, wanted: int) -> None:
    """All on the first device, so that the sum is exact."""
    devices: list[BackupDevice] = [device for device in tree.devices_of(customer) if device.kind in _PHYSICAL]
    if wanted and not devices:
        raise _nobody(f"customer {customer} has no device that could hold anything")
    for position, device in enumerate(devices):
        setattr(device, name, 0 if position else wanted)
