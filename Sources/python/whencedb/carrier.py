"""How requests are carried: on which connection, how long, and how often."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa

from .calls import Call, StreamCall
from .errors import ConnectionLost, WhenceError
from .pool import Pool
from .progress import Bar
from .settings import GRACE_SECONDS, Settings, checked_timeout, told
from .wire import kinds
from .wire.frames import Frame, small_frame
from .wire.messages import Welcome
from .wire.streams import Stream

if TYPE_CHECKING:
    from .answer import Answer, KnownAnswers
    from .prepared import ReadEncoder

T = TypeVar("T")


class Carrier:
    """Carries requests to a server and answers back, and repeats what is safe to repeat. Safe to use from many threads."""

    def __init__(self, settings: Settings, pool_size: int) -> None:
        self.settings = settings
        self.pool = Pool(settings, pool_size)

    def run(self, call: Call[T], timeout: float | None = None, on_progress: Callable[[tuple[int, int, str]], None] | None = None) -> T:
        seconds = self.settings.seconds(timeout)
        deadline = _deadline(seconds)

        def once() -> T:
            with self.pool.connection(deadline) as connection:
                return connection.call(call, _left(deadline), on_progress)

        return self.repeated(once, call.repeatable, deadline)

    def long(self, call: Call[T], what: str, progress: bool | None, timeout: float | None) -> T:
        """What may take long: the server's own limit, unless one is given."""
        with Bar(what, None, wanted=progress) as bar:
            if timeout is not None:
                return self.run(call, timeout, bar.show)

            def once() -> T:
                with self.pool.connection() as connection:
                    return connection.call(call, None, bar.show)

            return self.repeated(once, call.repeatable, None)

    def exchange(self, kind: int, payload: bytes, timeout: float | None) -> Frame:
        """A small request whose payload is there. A repeat is told the time that it was told at first: its bytes are the same."""
        limit = None if timeout is None else time.monotonic() + timeout
        deadline = None if limit is None else limit + GRACE_SECONDS
        attempt = 1
        while True:
            connection = self.pool.take(limit)
            try:
                connection.check(len(payload))
                request_id = connection.next_id()
                return connection.exchange([small_frame(kind, request_id, payload)], request_id, deadline)
            except WhenceError as error:
                attempt += 1
                if not self._may_repeat(error, attempt, deadline):
                    raise
                pause = self.settings.retries.pause(error, attempt)
            finally:
                self.pool.give(connection)
            time.sleep(pause)

    def welcome(self) -> Welcome:
        """What the server said of itself when the last connection was opened. It needs none that is free."""
        if self.pool.welcome is not None:
            return self.pool.welcome
        with self.pool.connection(_deadline(self.settings.timeout)) as connection:
            return connection.welcome

    def read_pieces(self, encoder: ReadEncoder, entities: Any, known: KnownAnswers, timeout: float | None) -> tuple[Answer, KnownAnswers]:
        """An online read of more entities than one request takes. The timeout is that of each request."""
        requests = encoder.pieces(entities, told(timeout), known, self.welcome().longest_payload)
        try:
            payload = next(requests)
            while True:
                payload = requests.send(self.exchange(kinds.ONLINE_READ, payload, timeout))
        except StopIteration as end:
            return end.value

    def exchange_many(
        self, kind: int, payloads: list[bytes], timeout: float | None, accept: Callable[[int, Frame], None], in_flight: int
    ) -> None:
        def once() -> None:
            with self.pool.connection(_deadline(timeout)) as connection:
                connection.check(max(map(len, payloads), default=0))
                first = connection.reserve_ids(len(payloads))
                frames = [small_frame(kind, first + number, payload) for number, payload in enumerate(payloads)]
                most = min(in_flight, connection.welcome.open_requests)
                connection.exchange_many(frames, first, timeout, accept, max(1, most))

        self.repeated(once, True, None)

    def stream(self, call: StreamCall, timeout: float | None, started: Callable[[Stream], None]) -> Generator[pa.RecordBatch, None, None]:
        deadline = _deadline(checked_timeout(timeout))
        with self.pool.connection(deadline) as connection:
            yield from connection.stream(call, _left(deadline), started)

    def repeated(self, once: Callable[[], T], repeatable: bool, deadline: float | None) -> T:
        attempt = 1
        while True:
            try:
                return once()
            except WhenceError as error:
                attempt += 1
                if not repeatable or not self._may_repeat(error, attempt, deadline):
                    raise
                pause = self.settings.retries.pause(error, attempt)
            time.sleep(pause)

    def _may_repeat(self, error: WhenceError, attempt: int, deadline: float | None) -> bool:
        if not error.retryable or error.code == 4001 or attempt > self.settings.retries.attempts:
            # What took too long once would take the caller's time again.
            return False
        if isinstance(error, ConnectionLost) and self.pool.is_closed:
            return False
        return deadline is None or time.monotonic() + error.retry_after < deadline


def _deadline(seconds: float | None) -> float | None:
    return None if seconds is None else time.monotonic() + seconds


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.001, deadline - time.monotonic())
