"""What can go wrong, as a small hierarchy: `except whencedb.WhenceError` takes all of it."""

from __future__ import annotations


class WhenceError(Exception):
    """An error with a stable code, and what a person needs to mend it.

    Attributes:
        code: the stable number of `Formats/wire-protocol.md`, "Errors".
        message: what was wrong.
        place: where: a file and line, a view and row, a feature; empty where it does not matter.
        hint: what to do; may be empty.
        retryable: whether the same request may succeed when it is repeated.
        retry_after: the seconds to wait before that; 0 without advice.
    """

    code = 4009

    def __init__(
        self,
        message: str,
        *,
        code: int | None = None,
        place: str = "",
        hint: str = "",
        retryable: bool = False,
        retry_after: float = 0.0,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = type(self).code if code is None else code
        self.place = place
        self.hint = hint
        self.retryable = retryable
        self.retry_after = retry_after

    def __str__(self) -> str:
        text = f"{self.place}: {self.message}" if self.place else self.message
        return f"{text} ({self.hint})" if self.hint else text

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.code}: {self})"


class InputError(WhenceError, ValueError):
    """A value, time, key or argument that is refused (codes 1001 to 1999)."""

    code = 1008


class NoColumn(InputError, KeyError):
    """A result has no column of that name (1006)."""

    code = 1006


class DefinitionError(WhenceError, ValueError):
    """Definitions that are wrong, or that may not replace those there are (2001, 2002, 2004)."""

    code = 2001


class NotFound(WhenceError, LookupError):
    """There is no definition of that name (2003)."""

    code = 2003


class StoreError(WhenceError):
    """The store cannot do it: locked, read only, full, damaged, beyond retention (3001 to 3999)."""

    code = 3006


class DeadlineExceeded(WhenceError, TimeoutError):
    """The time that the request was given is over (4001)."""

    code = 4001


class Cancelled(WhenceError):
    """The request was cancelled (4002)."""

    code = 4002


class Overloaded(WhenceError):
    """The server takes no more work now (4003), or is about to end (4008); `retry_after` says when to ask again."""

    code = 4003


class NotAuthenticated(WhenceError):
    """The server does not know who asks (4004)."""

    code = 4004


class NotAllowed(WhenceError, PermissionError):
    """The user has no right to do this (4005)."""

    code = 4005


class ProtocolError(WhenceError):
    """The two sides do not understand each other (4006, 4007)."""

    code = 4006


class ConnectionLost(WhenceError, ConnectionError):
    """There is no connection, or it ended before the answer was there (4010)."""

    code = 4010


_BY_CODE: dict[int, type[WhenceError]] = {
    2003: NotFound,
    4001: DeadlineExceeded,
    4002: Cancelled,
    4003: Overloaded,
    4004: NotAuthenticated,
    4005: NotAllowed,
    4006: ProtocolError,
    4007: ProtocolError,
    4008: Overloaded,
    4010: ConnectionLost,
}
_BY_THOUSAND: dict[int, type[WhenceError]] = {1: InputError, 2: DefinitionError, 3: StoreError}


def from_wire(code: int, retryable: bool, retry_milliseconds: int, message: str, place: str, hint: str) -> WhenceError:
    """The error of an `error` message. An unknown code is one that is not to be repeated."""
    known = _BY_CODE.get(code) or _BY_THOUSAND.get(code // 1000)
    if known is None:
        known = WhenceError
        retryable = retryable and code == 4009
    return known(message, code=code, place=place, hint=hint, retryable=retryable, retry_after=retry_milliseconds / 1000)
