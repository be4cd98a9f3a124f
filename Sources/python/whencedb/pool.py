"""The connections of a client: each is used by one caller at a time, and kept for the next."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from .connection import Connection
from .errors import ConnectionLost, DeadlineExceeded, NotAuthenticated, WhenceError
from .settings import Settings

# A connection that rested for so long is looked at before it is used again.
_RESTED_SECONDS = 1.0


class Pool:
    """At most `size` connections, opened when they are needed. Safe to use from many threads."""

    def __init__(self, settings: Settings, size: int) -> None:
        self._settings = settings
        self._slots = threading.Semaphore(size)
        self._idle: list[Connection] = []
        self._lock = threading.Lock()
        self._process = os.getpid()
        self.is_closed = False

    @contextmanager
    def connection(self, deadline: float | None = None) -> Iterator[Connection]:
        """Lends a connection. One that is not usable afterwards is closed."""
        connection = self.take(deadline)
        try:
            yield connection
        finally:
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
                if self._process != os.getpid():
                    # A fork must not speak on its parent's connections.
                    self._idle.clear()
                    self._process = os.getpid()
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
                return Connection(self._settings, deadline)
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
