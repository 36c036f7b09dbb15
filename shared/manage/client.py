"""ConnectWise Manage as the flows use it: complete lists in, single additions out.

Reads raise `Retryable`, `NotPermitted`, `Gone` or `Incomplete`; writes also `Refused`, `NoEffect` and
`OutcomeUnknown`. Every error carries Manage's request id where there was an answer.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from shared.billing.agreements import Addition, Agreement, Company, Fields, Product, Recap
from shared.billing.lines import canonical
from shared.callbacks import CallbackEntry
from shared.catalog import CatalogChoices, NewProduct
from shared.errors import Gone, NoEffect, NotPermitted, TrueUpError
from shared.http.wire import Transport
from shared.manage import catalog, conditions, readers
from shared.manage.cache import Cache
from shared.manage.call import Call
from shared.manage.catalog import CATALOG
from shared.manage.contacts import ManageContacts
from shared.manage.failures import SYSTEM
from shared.manage.paging import read_all, room_for_condition
from shared.manage.rows import Unreadable
from shared.manage.session import Session
from shared.manage.settings import ManageSettings
from shared.manage.tickets import ManageTickets
from shared.manage.writing import callback_body, create_body, patch_body, unlike

COMPANIES = "/company/companies"
AGREEMENTS = "/finance/agreements"
AGREEMENT = "/finance/agreements/{agreement}"
RECAPS = "/finance/agreementrecap/"
ADDITIONS = "/finance/agreements/{agreement}/additions"
ADDITION = "/finance/agreements/{agreement}/additions/{addition}"
BILLING_CYCLES = "/finance/billingCycles"
CALLBACKS = "/system/callbacks"
CALLBACK = "/system/callbacks/{callback}"

log = logging.getLogger(__name__)

_NOT_FOUND = 404

#: Catalog items and billing cycles change seldom; every company of a night needs the same ones.
KEPT_SECONDS = 600.0
#: Manage's forecasts are only compared: no company waits for them any longer.
RECAP_SECONDS = 30.0

RowT = TypeVar("RowT", Company, Product)


class ManageClient:
    """Safe to use from several threads; make one per process, since it limits the calls in flight.

    `may_write` is asked before everything that writes, and raises where nothing may be written.
    """

    def __init__(
        self,
        settings: ManageSettings,
        *,
        transport: Transport | None = None,
        may_write: Callable[[], None] = lambda: None,
        pause: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cancelled_day = settings.cancelled_day
        self._session = Session(settings, transport=transport, may_write=may_write, pause=pause, clock=clock)
        self._contacts = ManageContacts(self._session, clock)
        self._products: Cache[str, Product | None] = Cache(KEPT_SECONDS, clock)
        self._billing_options: Cache[str, dict[int, str | None]] = Cache(KEPT_SECONDS, clock)
        self._recaps: tuple[str, dict[int, Recap]] = ("", {})
        self._reading_recaps = threading.Lock()

    @property
    def tickets(self) -> ManageTickets:
        """The tickets of the same Manage, by the same session."""
        return ManageTickets(self._session)

    @property
    def contacts(self) -> ManageContacts:
        """The contacts of the same Manage, by the same session."""
        return self._contacts

    @property
    def last_request_id(self) -> str | None:
        """Manage's id of this thread's last call, for the history; None when that got no answer."""
        return self._session.last_request_id

    def deadline(self, seconds: float) -> AbstractContextManager[None]:
        """`with client.deadline(240):` no call of this thread inside the block lasts longer, pauses included."""
        return self._session.deadline(seconds)

    def companies(self, ids: Sequence[int] | None = None) -> list[Company]:
        """All companies, or those of these ids that exist; deleted ones are marked, not left out."""
        call = Call("GET", COMPANIES)
        if ids is None:
            return read_all(self._session, call, readers.company)
        wanted = dict.fromkeys(ids)
        found = self._where_within(call, "id", wanted, readers.company)
        return [company for company in found if company.id in wanted]

    def agreements(self, company_id: int) -> list[Agreement]:
        """Every agreement of a company, whatever its status."""
        options = self._options_by_cycle()
        call = Call("GET", AGREEMENTS, params={"conditions": conditions.equals("company/id", company_id)})
        return read_all(self._session, call, lambda row: _agreement_of(company_id, row, options))

    def additions(self, agreement_id: int) -> list[Addition]:
        """Every addition of an agreement, ended ones too. The cancelled date is the last billed day, here and below."""
        return self._additions(Call("GET", ADDITIONS, {"agreement": agreement_id}), agreement_id)

    def additions_stamped(self, agreement_id: int, stamp: str) -> list[Addition]:
        """The additions of an agreement with this serial number."""
        condition = conditions.equals("serialNumber", stamp)
        call = Call("GET", ADDITIONS, {"agreement": agreement_id}, params={"conditions": condition})
        return [item for item in self._additions(call, agreement_id) if item.serial_number.strip() == stamp]

    def addition(self, agreement_id: int, addition_id: int) -> Addition:
        """One line as it stands now. `Gone` when the agreement has it not (any more)."""
        condition = conditions.equals("id", addition_id)
        # Out of the list, as `additions` gives it: what was read before can then be compared with it.
        call = Call("GET", ADDITIONS, {"agreement": agreement_id}, params={"conditions": condition})
        found = [item for item in self._additions(call, agreement_id) if item.id == addition_id]
        if not found:
            remedy = "Somebody deleted it in ConnectWise Manage: read it again."
            raise Gone(f"addition {addition_id} is not on agreement {agreement_id}", system=SYSTEM, remedy=remedy)
        return found[0]

    def recaps(self, night: str) -> Mapping[int, Recap]:
        """Manage's forecasts for active agreements, by agreement; asked for once a night, whatever comes of it.

        Empty where they cannot be read: not every role may, and not every Manage answers.
        """
        with self._reading_recaps:
            if self._recaps[0] != night:
                self._recaps = (night, self._read_recaps())
        return self._recaps[1]

    def products(self, identifiers: Collection[str]) -> dict[str, Product]:
        """Catalog items by the identifier asked for, whatever its case; those that do not exist are left out.

        Kept for ten minutes. Of several items with one identifier the active one counts. Where two are active nobody
        knows which is meant: they are left out too, and the log names them.
        """
        wanted = {canonical(identifier): identifier.strip() for identifier in identifiers}
        known = self._products.fresh(wanted)
        missing = [wanted[key] for key in sorted(wanted) if key not in known]
        if missing:
            found = self._where_within(Call("GET", CATALOG), "identifier", missing, readers.product)
            known |= self._products.keep({canonical(name): _only(name, found) for name in missing})
        return {name: product for name in identifiers if (product := known[canonical(name)]) is not None}

    def products_named(self, identifier: str) -> list[Product]:
        """The catalog items with this identifier as they stand now, inactive ones too."""
        return catalog.named(self._session, identifier)

    def catalog_choices(self) -> CatalogChoices:
        """What a new product can be filed under."""
        return catalog.choices(self._session)

    def agreement_types(self) -> list[str]:
        """The names of the types that agreements can have, active ones, by name."""
        return catalog.agreement_types(self._session)

    def create_product(self, new: NewProduct) -> Product:
        """Adds an item to the catalog; `products` of this process knows it at once, of others in ten minutes.

        Never sent twice: after `OutcomeUnknown` look for its identifier before doing anything again.
        """
        made = catalog.create(self._session, new)
        self._products.keep({canonical(made.identifier): made})
        return made

    def create_addition(self, agreement_id: int, fields: Fields) -> Addition:
        """Adds a line. Never sent twice: after `OutcomeUnknown` look for it before doing anything again."""
        call = Call("POST", ADDITIONS, {"agreement": agreement_id}, body=create_body(fields, self._cancelled_day))
        return self._written(call, agreement_id, fields)

    def update_addition(self, agreement_id: int, addition_id: int, fields: Fields) -> Addition:
        """Sets fields of a line to absolute values; None clears one. Safe to repeat."""
        ids = {"agreement": agreement_id, "addition": addition_id}
        call = Call("PATCH", ADDITION, ids, body=patch_body(fields, self._cancelled_day))
        return self._written(call, agreement_id, fields)

    def delete_addition(self, agreement_id: int, addition_id: int) -> None:
        """Deletes a line. `Gone` when it is not there (any more)."""
        self._session.send(Call("DELETE", ADDITION, {"agreement": agreement_id, "addition": addition_id}))

    def company_of_agreement(self, agreement_id: int) -> int:
        """The company that an agreement is of. `Gone` when there is no such agreement (any more)."""
        return self._session.read(Call("GET", AGREEMENT, {"agreement": agreement_id}), readers.company_of)

    def callbacks(self) -> list[CallbackEntry]:
        """Every registered callback, of other programs too."""
        return read_all(self._session, Call("GET", CALLBACKS), readers.callback_entry)

    def register_callback(self, url: str, type_: str) -> CallbackEntry:
        """Has Manage post to `url`, with the record's id appended, what anybody but us does to records of this type.

        Never sent twice: after `OutcomeUnknown` it stands among the callbacks, or it does not.
        """
        return self._session.read(Call("POST", CALLBACKS, body=callback_body(url, type_)), readers.callback_entry)

    def delete_callback(self, callback_id: int) -> None:
        """Deletes a registration; one that is gone already is fine."""
        try:
            self._session.send(Call("DELETE", CALLBACK, {"callback": callback_id}))
        except (Gone, NotPermitted) as error:
            if error.status != _NOT_FOUND:  # of a callback that is gone Manage says that the endpoint does not exist
                raise

    def _additions(self, call: Call, agreement_id: int) -> list[Addition]:
        return read_all(self._session, call, lambda row: self._addition(agreement_id, row))

    def _read_recaps(self) -> dict[int, Recap]:
        call = Call("GET", RECAPS, params={"conditions": conditions.equals("agreementStatus", "Active")})
        try:
            with self.deadline(RECAP_SECONDS):
                return {recap.id: recap for recap in read_all(self._session, call, readers.recap)}
        except TrueUpError as error:
            log.info("no forecasts of next invoices to compare with tonight: %s", error)
            return {}

    def _options_by_cycle(self) -> dict[int, str | None]:
        known = self._billing_options.fresh([BILLING_CYCLES])
        if not known:
            cycles = read_all(self._session, Call("GET", BILLING_CYCLES), readers.billing_cycle)
            known = self._billing_options.keep({BILLING_CYCLES: {cycle.id: cycle.billing_options for cycle in cycles}})
        return known[BILLING_CYCLES]

    def _where_within(
        self, call: Call, field: str, values: Iterable[conditions.Value], read: Callable[[Any], RowT]
    ) -> list[RowT]:
        """The rows whose field has one of the values, asked in as many calls as short addresses take."""
        room = room_for_condition(self._session, call)
        chunks = conditions.within_chunks(field, values, room)
        return [row for chunk in chunks for row in read_all(self._session, call.with_params(conditions=chunk), read)]

    def _written(self, call: Call, agreement_id: int, fields: Fields) -> Addition:
        written = self._session.read(call, lambda row: self._addition_of(call, agreement_id, row))
        differing = unlike(fields, written)
        if differing:
            raise NoEffect(
                f"{call}: addition {written.id} does not say what was asked: {', '.join(differing)}",
                system=SYSTEM,
                request_id=self.last_request_id,
                remedy="Look at the addition in ConnectWise Manage: something there keeps or changes these fields.",
                answered=written,
            )
        return written

    def _addition_of(self, call: Call, agreement_id: int, row: Any) -> Addition:
        addition = self._addition(agreement_id, row)
        if addition.id != call.ids.get("addition", addition.id):
            raise Unreadable(f"the answer is about addition {addition.id}")
        return addition

    def _addition(self, agreement_id: int, row: Any) -> Addition:
        return readers.addition(row, agreement_id, self._cancelled_day)


def _agreement_of(company_id: int, row: Any, options: Mapping[int, str | None]) -> Agreement:
    agreement = readers.agreement(row, options)
    if agreement.company_id != company_id:
        # A filter that was lost on the way would bill one company for another.
        raise Unreadable(f"agreement {agreement.id} in the answer is not of company {company_id}")
    return agreement


def _only(identifier: str, found: Iterable[Product]) -> Product | None:
    """The catalog item that an identifier means."""
    matches = [product for product in found if canonical(product.identifier) == canonical(identifier)]
    active = [product for product in matches if not product.inactive_flag]
    if len(active) > 1:
        log.warning(
            "%s: the catalog has %s active products %r, so that none of them counts; make all but one inactive",
            SYSTEM,
            len(active),
            identifier,
        )
        return None
    return next(iter([*active, *matches]), None)
