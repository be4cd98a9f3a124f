"""The connections of a client: each is used by one caller at a time, and kept for the next."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from .connection import Connection
from .errors import ConnectionLost, DeadlineExceeded, InputError, NotAuthenticated, WhenceError
from .settings import Settings
from .wire.messages import Authenticated, Welcome

# A connection that rested for so long is looked at before it is used again.
_RESTED_SECONDS = 1.0


class Pool:
    """At most `size` connections, opened when they are needed. Safe to use from many threads."""

    def __init__(self, settings: Settings, size: int) -> None:
        self._settings = settings
        self._size = size
        self.is_closed = False
        #: What the server said when the last connection was opened.
        self.welcome: Welcome | None = None
        self.authenticated: Authenticated | None = None
        self._begin()
        _POOLS.add(self)

    def _begin(self) -> None:
        """With no connection: at first, and in the child of a fork, which must not speak on its parent's. What threads of the parent hold,
        locks and connections, nobody gives back here."""
        self._slots = threading.Semaphore(self._size)
        self._lock = threading.Lock()
        self._idle: list[Connection] = []
        self._held: Counter[int] = Counter()

    @contextmanager
    def connection(self, deadline: float | None = None) -> Iterator[Connection]:
        """Lends a connection. One that is not usable afterwards is closed."""
        thread, held = threading.get_ident(), self._held
        if deadline is None and held[thread] >= self._size:
            raise InputError(
                f"this thread waits for a connection, and all {self._size} are in its own loops over batches",
                place=self._settings.address,
                hint="end the loops first, or connect with a larger pool_size=",
            )
        connection = self.take(deadline)
        with self._lock:
            held[thread] += 1
        try:
            yield connection
        finally:
            # It may be another thread that ends a generator.
            with self._lock:
                held[thread] -= 1
                if not held[thread]:
                    del held[thread]
            self.give(connection)

    def take(self, deadline: float | None = None) -> Connection:
        """Waits for a free connection, or opens one. Throws `DeadlineExceeded` where none is free in time."""
        if self.is_closed:
            raise ConnectionLost("the client was closed", place=self._settings.address, hint="connect again")
        wait = None if deadline is None else max(0.0, deadline - time.monotonic())
        if not self._slots.acquire(timeout=wait):
            raise DeadlineExceeded(
                "no connection was free in time", place=self._settings.address, retryable=True, hint="a larger pool_size= helps"
            )
        try:
            return self._idle_one() or self._opened(deadline)
        except BaseException:
            self._slots.release()
            raise

    def give(self, connection: Connection) -> None:
        """Takes a connection back."""
        if connection.slots is not self._slots:
            # It was lent before a fork: it is the parent's, and so is its slot.
            connection.close()
            return
        with self._lock:
            keep = connection.is_usable and not self.is_closed
            if keep:
                connection.idle_since = time.monotonic()
                self._idle.append(connection)
        if not keep:
            connection.close()
        self._slots.release()

    def _idle_one(self) -> Connection | None:
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection = self._idle.pop()
            if time.monotonic() - connection.idle_since < _RESTED_SECONDS or connection.seems_alive():
                return connection
            connection.close()

    def _opened(self, deadline: float | None) -> Connection:
        """Nothing was asked yet, so whatever may be tried again is."""
        retries = self._settings.retries
        attempt = 1
        while True:
            try:
                connection = Connection(self._settings, deadline)
                connection.slots = self._slots
                self.welcome, self.authenticated = connection.welcome, connection.authenticated
                return connection
            except NotAuthenticated:
                raise
            except WhenceError as error:
                attempt += 1
                pause = retries.pause(error, attempt)
                late = deadline is not None and time.monotonic() + pause > deadline
                if not error.retryable or attempt > retries.attempts or late or self.is_closed:
                    raise
                time.sleep(pause)

    def close(self) -> None:
        """Closes the connections that rest; those in use are closed as they come back."""
        with self._lock:
            self.is_closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()


# All pools of this process.
_POOLS: weakref.WeakSet[Pool] = weakref.WeakSet()


def _forked() -> None:
    for pool in list(_POOLS):
        pool._begin()


os.register_at_fork(after_in_child=_forked)
