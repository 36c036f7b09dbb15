"""Every failure TrueUp raises on purpose, named for what the operator or the caller must do.

TrueUpError
├── Retryable            nothing is wrong with the request: wait and repeat
│   ├── Busy             another worker holds the company
│   └── OutcomeUnknown   a write may or may not have happened: look before repeating
├── NotPermitted         a person must grant something: a key, a role, a consent
├── Gone                 the thing is not there any more: the mapping is stale
├── Incomplete           an answer ended early or could not be understood: nothing was learned
├── Refused              we or the other side will not do this: unsafe, stale or invalid
│   ├── Newer            a newer TrueUp stored it: the newer one must go on with it
│   ├── OtherManage      the store belongs to another Manage than the settings name
│   └── NoEffect         the other side said yes and did not do it
└── Misconfigured        settings or rules must be corrected

Every error carries the system it came from and, where the remote side gave one, its request id; both are part of the
printed message, so that one log line is enough to ask the vendor.
"""

from __future__ import annotations


class TrueUpError(Exception):
    """Base of the tree. `remedy` says in plain words what a person can do."""

    def __init__(
        self,
        message: str,
        *,
        system: str = "",
        request_id: str | None = None,
        remedy: str = "",
        status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.system = system
        self.request_id = request_id
        self.remedy = remedy
        self.status = status

    def __str__(self) -> str:
        origin = f"{self.system}: " if self.system else ""
        request = f" (request {self.request_id})" if self.request_id else ""
        return f"{origin}{self.message}{request}"


class Retryable(TrueUpError):
    """Wait and repeat. `retry_after` is in seconds when the other side named a time."""

    def __init__(
        self,
        message: str,
        *,
        system: str = "",
        request_id: str | None = None,
        remedy: str = "",
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, system=system, request_id=request_id, remedy=remedy, status=status)
        self.retry_after = retry_after


class Busy(Retryable):
    """Another worker holds this company's lease."""


class OutcomeUnknown(Retryable):
    """A write may or may not have happened; look for its effect before doing anything again."""


class NotPermitted(TrueUpError):
    """A person must grant something: a key, a role, a consent."""


class Gone(TrueUpError):
    """The thing is not there any more: the mapping is stale."""


class Incomplete(TrueUpError):
    """An answer ended early or could not be understood: nothing was learned from it."""


class Refused(TrueUpError):
    """We or the other side will not do this: unsafe, stale or invalid."""


class Newer(Refused):
    """A newer TrueUp stored it. This one does not know what it means: only the newer one may go on with it."""


class OtherManage(Refused):
    """The store belongs to another Manage than the settings name: its numbers would mean somebody else's lines."""


class NoEffect(Refused):
    """The other side answered success, but what it answered is not what was asked.

    `answered` is the thing as the other side now has it, None where it did not say.
    """

    def __init__(
        self,
        message: str,
        *,
        system: str = "",
        request_id: str | None = None,
        remedy: str = "",
        status: int | None = None,
        answered: object | None = None,
    ) -> None:
        super().__init__(message, system=system, request_id=request_id, remedy=remedy, status=status)
        self.answered = answered


class Misconfigured(TrueUpError):
    """Settings or rules must be corrected. `problems` lists every one of them, one sentence each."""

    def __init__(self, problems: list[str], *, system: str = "settings") -> None:
        super().__init__("; ".join(problems), system=system, remedy="Correct the settings named here.")
        self.problems = problems
