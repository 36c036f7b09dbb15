"""The partner billing export of Microsoft Graph: begun, asked after, and at last a list of files."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import httpx
from azure.core.credentials import TokenCredential

from shared.errors import Incomplete, TrueUpError
from shared.sources.microsoft365.graph import Answer, GraphClient
from shared.sources.microsoft365.reads import error_code, refusal, retry_after
from shared.sources.microsoft365.settings import MicrosoftSettings
from shared.sources.microsoft365.tokens import Tokens
from shared.sources.partner_billing.blobs import address_of
from shared.sources.partner_billing.kinds import ExportKind
from shared.sources.patience import Patience
from shared.sources.rows import Row, broken, row_of

ROLES = "PartnerBilling.Read.All"
#: What Microsoft calls the two billing months that are not billed yet.
Period = Literal["current", "last"]

#: An operation that nobody has begun. Asking after it takes the role that beginning one takes, and begins nothing.
_NOBODYS = "/reports/partners/billing/operations/00000000-0000-0000-0000-000000000000"
#: How Graph says, to somebody whom it lets in, that there is no such operation.
_NOT_THERE = re.compile(r"badrequest|invalidrequest|\w*notfound", re.IGNORECASE)
_CALL_SECONDS = 90.0
#: How long until we look again where Microsoft names no time.
_USUAL_WAIT = 120.0
_FORMATS = frozenset({"compressedjsonlines", "compressedjson"})
_RUNNING = frozenset({"notstarted", "running"})


@dataclass(frozen=True, slots=True)
class Waiting:
    """The export is not ready; `seconds` until it is worth while to look again."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Ready:
    """The addresses of all files. Each holds the key to it."""

    files: tuple[str, ...] = field(repr=False)


class BillingExports:
    """Asks in the first partner tenant. Raises errors of `shared.errors` only."""

    def __init__(
        self,
        kind: ExportKind,
        settings: MicrosoftSettings,
        currency: str,
        credential: TokenCredential | None,
        transport: httpx.AsyncBaseTransport | None,
        sleep: Callable[[float], None],
    ) -> None:
        """`currency` is the one in which Microsoft bills us (ISO 4217)."""
        self._kind = kind
        self._tenant = settings.home_tenant
        self._currency = currency
        self._tokens = Tokens(settings, credential)
        self._graph = GraphClient(settings, transport)
        self._sleep = sleep

    def ask(self) -> None:
        """Raises what Microsoft says when it does not let us ask after exports; begins none."""
        what = f"asking after {self._kind.what}"
        token, patience = self._tokens.token(self._tenant), self._patience()

        def ask() -> None:
            answer = self._graph.get(_NOBODYS, token, headers={}, seconds=patience.left())
            code = error_code(answer)
            if answer.status in (200, 400, 404) and not code:
                raise broken("Microsoft Graph", what, "it is not Graph that answers")
            if answer.status not in (400, 404) or not _NOT_THERE.fullmatch(code):
                raise self._refused(answer, what)

        patience.repeat(ask)

    def begin(self, period: Period) -> str:
        """Begins an export of what is not billed yet; the address at which to ask after it."""
        body = {"currencyCode": self._currency, "billingPeriod": period, "attributeSet": "full"}
        token, patience = self._tokens.token(self._tenant), self._patience()

        def ask() -> Answer:
            answer = self._graph.post(self._kind.begin, token, body=body, seconds=patience.left())
            return self._checked(answer, f"beginning {self._kind.what}", 202)

        operation = patience.repeat(ask).headers.get("location")
        if not operation or "://" not in operation:
            raise broken(self._kind.system, self._kind.what, "it does not say where it is prepared")
        return operation

    def look(self, operation: str) -> Waiting | Ready:
        """How far an export is. Raises `Incomplete` for one that failed."""
        token, patience = self._tokens.token(self._tenant), self._patience()

        def ask() -> Answer:
            answer = self._graph.get(operation, token, headers={}, seconds=patience.left())
            return self._checked(answer, self._kind.what, 200, 202)

        answer = patience.repeat(ask)
        row = row_of(answer.body, self._kind.what, self._kind.system)
        status = row.text("status").casefold()
        if status in _RUNNING:
            return Waiting(retry_after(answer.headers) or _USUAL_WAIT)
        if status != "completed":
            raise Incomplete(
                f"{self._kind.what[0].upper()}{self._kind.what[1:]} failed at Microsoft.",
                system=self._kind.system,
                request_id=answer.headers.get("request-id"),
                remedy="Nothing to do if the next night succeeds: a new one is begun.",
            )
        manifest = row.inner("resourceLocation")
        if manifest is None:
            raise row.broken("it names no files")
        return Ready(_files(self._kind, manifest))

    def _patience(self) -> Patience:
        return Patience(_CALL_SECONDS, self._sleep, self._kind.system)

    def _checked(self, answer: Answer, what: str, *wanted: int) -> Answer:
        if answer.status not in wanted:
            raise self._refused(answer, what)
        return answer

    def _refused(self, answer: Answer, what: str) -> TrueUpError:
        return refusal(answer, what, roles=ROLES, consent=self._tokens.consent_url(self._tenant))


def _files(kind: ExportKind, manifest: Row) -> tuple[str, ...]:
    """Every file of an export; as many as it says that there are."""
    if manifest.text("dataFormat").casefold() not in _FORMATS:
        raise manifest.broken("its files have a form that is not known")
    blobs = manifest.values.get("blobs")
    if not isinstance(blobs, list) or len(blobs) != manifest.number("blobCount"):
        raise manifest.broken("it does not name as many files as it has")
    directory, key = manifest.text("rootDirectory"), manifest.text("sasToken")
    names = [row_of(blob, kind.what, kind.system).text("name") for blob in blobs]
    return tuple(address_of(kind, directory, name, key) for name in names)
