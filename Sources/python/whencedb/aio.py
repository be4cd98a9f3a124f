"""The client for asyncio: `await whencedb.aio.connect(…)`.

The methods are those of `whencedb.Client`, awaited. Many requests are open on one connection at once; cancelling a task cancels its
request at the server.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, TypeVar

import pyarrow as pa

from . import calls, tables
from .aio_connection import AsyncConnection
from .aio_prepared import AsyncPreparedRead
from .answer import Answer, KnownAnswers
from .calls import Call, Description, JoinOptions, StreamCall, TableOptions
from .errors import ConnectionLost, DeadlineExceeded, DefinitionError, InputError, NotAuthenticated, NotFound, WhenceError
from .prepared import ReadEncoder, read_answer
from .progress import Bar, counted, shown_async
from .results import Result
from .settings import Retries, Settings, check_pool_size, checked_timeout, make_settings, told
from .spines import Columns, result_of, with_spine_rows
from .wire import kinds, messages
from .wire.frames import Frame
from .wire.messages import Committed
from .wire.streams import Stream
from .writing import Writing

T = TypeVar("T")


async def connect(
    address: str = "127.0.0.1",
    *,
    token: str | None = None,
    user: str | None = None,
    password: str | None = None,
    tls: bool | ssl.SSLContext | None = None,
    ca: str | None = None,
    cert: str | None = None,
    key: str | None = None,
    server_name: str | None = None,
    timeout: float | None = 30.0,
    pool_size: int = 2,
    retries: Retries | int | None = None,
) -> AsyncClient:
    """As `whencedb.connect`. A connection carries any number of requests; the pool keeps long streams away from short reads."""
    settings = make_settings(
        address, token=token, user=user, password=password, tls=tls, ca=ca, cert=cert, key=key,
        server_name=server_name, timeout=timeout, retries=retries,
    )  # fmt: skip
    check_pool_size(pool_size)
    client = AsyncClient(settings, pool_size)
    await client._connection()
    return client


class AsyncClient:
    """A server, as seen from an event loop. An asynchronous context manager; to be used on the loop that made it."""

    def __init__(self, settings: Settings, pool_size: int) -> None:
        self._settings = settings
        self._size = pool_size
        self._connections: list[AsyncConnection] = []
        # The one that was opened last: what the server said then is known without asking.
        self._last: AsyncConnection
        self._opening = asyncio.Lock()
        self._is_closed = False
        self._descriptions: dict[messages.Selection, Description] = {}
        self._reads: dict[tuple[messages.Selection, bool, bool], tuple[ReadEncoder, KnownAnswers]] = {}

    async def close(self) -> None:
        """Closes the connections. Whatever is open on them ends with `ConnectionLost`."""
        self._is_closed = True
        connections, self._connections = self._connections, []
        for connection in connections:
            connection.close()
        for connection in connections:
            await connection.wait_closed()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<whencedb asyncio client of {self._settings.address}{' with TLS' if self._settings.tls else ''}>"

    @property
    def server(self) -> str:
        """Name and version of the server, as it said when the last connection was opened."""
        return self._last.welcome.server

    @property
    def user(self) -> tuple[str, list[str]] | None:
        """Who the server takes this client for, and the roles; None where it asks nobody."""
        found = self._last.authenticated
        return None if found is None else (found.user, found.roles)

    async def ping(self, timeout: float | None = None) -> int:
        return await self._run(calls.ping(), timeout)

    # Definitions

    async def plan(self, definitions: Any, *, timeout: float | None = None) -> dict[str, Any]:
        return await self._run(calls.plan(definitions), timeout)

    async def apply(self, definitions: Any, *, base_version: int | None = None, timeout: float | None = None) -> dict[str, Any]:
        done = await self._run(calls.apply(definitions, base_version), timeout)
        self._forget()
        return done

    async def catalog(self, *, timeout: float | None = None) -> list[dict[str, Any]]:
        return await self._run(calls.catalog(), timeout)

    async def show(self, name: str, *, kind: str = "", version: int = 0, timeout: float | None = None) -> dict[str, Any]:
        return await self._run(calls.show(name, kind, version), timeout)

    async def definitions(self, *, timeout: float | None = None) -> dict[str, Any]:
        return await self._run(calls.definitions(), timeout)

    async def describe(self, service: str | Sequence[str], *, timeout: float | None = None) -> Description:
        return await self._run(calls.describe(calls.selection(service)), timeout)

    # Writes

    async def write(
        self,
        view: str,
        table: tables.TableLike,
        event_time: Any = "event_time",
        available_at: str | None = None,
        *,
        idempotency_key: str | bytes | None = None,
        missing_is_null: bool = False,
        zone: str | None = None,
        floor_times: bool = False,
        batch_rows: int = 0,
        progress: bool | None = None,
        timeout: float | None = None,
    ) -> Committed:
        options = TableOptions(event_time, available_at, missing_is_null, zone, floor_times)
        return await self._write(view, table, options, messages.ROWS, idempotency_key, batch_rows, progress, timeout)

    async def delete(
        self, view: str, keys: tables.TableLike, event_time: Any = "event_time", *, idempotency_key: str | bytes | None = None,
        zone: str | None = None, floor_times: bool = False, timeout: float | None = None,
    ) -> Committed:  # fmt: skip
        options = TableOptions(event_time, None, False, zone, floor_times)
        return await self._write(view, keys, options, messages.DELETIONS, idempotency_key, 0, False, timeout)

    async def retract(
        self, view: str, keys: tables.TableLike, event_time: Any = "event_time", *, idempotency_key: str | bytes | None = None,
        zone: str | None = None, floor_times: bool = False, timeout: float | None = None,
    ) -> Committed:  # fmt: skip
        options = TableOptions(event_time, None, False, zone, floor_times)
        return await self._write(view, keys, options, messages.RETRACTIONS, idempotency_key, 0, False, timeout)

    async def backfill(
        self,
        view: str,
        data: tables.TableLike | Iterable[tables.TableLike],
        event_time: Any = "event_time",
        available_at: str | None = None,
        *,
        missing_is_null: bool = False,
        zone: str | None = None,
        floor_times: bool = False,
        progress: bool | None = None,
        timeout: float | None = None,
    ) -> Committed:
        options = TableOptions(event_time, available_at, missing_is_null, zone, floor_times)
        call = calls.backfill(await self._described(calls.selection([f"{view}.*"]), timeout), view, data, options)
        done: list[Committed] = []

        def started(stream: Stream) -> None:
            if stream.committed is not None:
                done.append(stream.committed)

        with Bar(call.name, None, wanted=progress) as bar:
            async for _ in self._stream(counted(call, bar), timeout, started):
                pass
        return done[0]

    # Reads

    async def get(
        self, service: str | Sequence[str], entities: Any, event_times: bool = False, ages: bool = False, *, timeout: float | None = None
    ) -> Answer:
        chosen = calls.selection(service)
        described = await self._described(chosen, timeout)
        place = (chosen, event_times, ages)
        encoder, known = self._reads.get(place) or (ReadEncoder(described, event_times, ages), KnownAnswers())
        seconds = self._settings.seconds(timeout)
        asked = pa.table(dict(zip(described.join_keys, encoder.arrays(entities), strict=True)))
        payload = encoder.payload(asked, told(seconds), known.schema_id)
        try:
            if encoder.is_one(payload):
                answer, newer = read_answer(await self._exchange(payload, seconds), known)
            else:
                answer, newer = await self._read_pieces(encoder, asked, known, seconds)
        except (InputError, NotFound, DefinitionError):
            self._forget()
            raise
        if newer is not known:
            self._reads[place] = (encoder, newer)
        answer._entities = asked
        return answer

    async def prepare(self, service: str | Sequence[str], event_times: bool = False, ages: bool = False) -> AsyncPreparedRead:
        described = await self._described(calls.selection(service), fresh=True)
        return AsyncPreparedRead(self, described, event_times, ages)

    async def as_of(
        self,
        spine: tables.TableLike,
        service: str | Sequence[str],
        event_time: str = "event_time",
        known_at: Any = None,
        as_served: bool = False,
        *,
        zone: str | None = None,
        floor_times: bool = False,
        memory_bytes: int = 0,
        compress: bool = False,
        progress: bool | None = None,
        timeout: float | None = None,
    ) -> Result:
        options = JoinOptions(event_time, known_at, as_served, zone, floor_times, memory_bytes=memory_bytes, compress=compress)
        columns, given, call = await self._join(spine, service, options, timeout)
        return await self._collected(columns, call, timeout, progress, given)

    async def as_of_batches(
        self,
        spine: tables.TableLike,
        service: str | Sequence[str],
        event_time: str = "event_time",
        known_at: Any = None,
        as_served: bool = False,
        *,
        zone: str | None = None,
        floor_times: bool = False,
        memory_bytes: int = 0,
        batch_rows: int = 0,
        compress: bool = False,
        progress: bool | None = None,
        timeout: float | None = None,
    ) -> AsyncGenerator[pa.RecordBatch, None]:
        options = JoinOptions(
            event_time, known_at, as_served, zone, floor_times, memory_bytes=memory_bytes, batch_rows=batch_rows, compress=compress
        )
        columns, given, call = await self._join(spine, service, options, timeout)
        done = 0
        # Closed with this generator, and not when it is found to be garbage.
        async with aclosing(self._batches(columns, call, timeout, progress, given.num_rows)) as batches:
            async for batch in batches:
                yield with_spine_rows(columns, batch, given, done)
                done += batch.num_rows

    async def as_of_entities(
        self,
        view: str,
        instants: Any,
        service: str | Sequence[str],
        *,
        start: Any = None,
        end: Any = None,
        known_at: Any = None,
        as_served: bool = False,
        event_time: str = "event_time",
        zone: str | None = None,
        memory_bytes: int = 0,
        compress: bool = False,
        progress: bool | None = None,
        timeout: float | None = None,
    ) -> Result:
        options = JoinOptions(event_time, known_at, as_served, zone, memory_bytes=memory_bytes, compress=compress)
        call = calls.join_entities(calls.selection(service), options, view, instants, start, end)
        return await self._collected(Columns(call.name), call, timeout, progress)

    def as_of_entities_batches(
        self,
        view: str,
        instants: Any,
        service: str | Sequence[str],
        *,
        start: Any = None,
        end: Any = None,
        known_at: Any = None,
        as_served: bool = False,
        event_time: str = "event_time",
        zone: str | None = None,
        memory_bytes: int = 0,
        batch_rows: int = 0,
        compress: bool = False,
        progress: bool | None = None,
        timeout: float | None = None,
    ) -> AsyncGenerator[pa.RecordBatch, None]:
        options = JoinOptions(event_time, known_at, as_served, zone, memory_bytes=memory_bytes, batch_rows=batch_rows, compress=compress)
        call = calls.join_entities(calls.selection(service), options, view, instants, start, end)
        return self._batches(Columns(call.name), call, timeout, progress)

    async def scan(
        self,
        view: str,
        features: Sequence[str] = (),
        *,
        start: Any = None,
        end: Any = None,
        first_key: Mapping[str, Any] | None = None,
        last_key: Mapping[str, Any] | None = None,
        known_at: Any = None,
        event_time: str = "event_time",
        compress: bool = False,
        progress: bool | None = None,
        timeout: float | None = None,
    ) -> Result:
        call = calls.scan(view, features, known_at, start, end, event_time, 0, compress, first_key, last_key)
        return await self._collected(Columns(call.name), call, timeout, progress)

    def scan_batches(
        self,
        view: str,
        features: Sequence[str] = (),
        *,
        start: Any = None,
        end: Any = None,
        first_key: Mapping[str, Any] | None = None,
        last_key: Mapping[str, Any] | None = None,
        known_at: Any = None,
        event_time: str = "event_time",
        batch_rows: int = 0,
        compress: bool = False,
        progress: bool | None = None,
        timeout: float | None = None,
    ) -> AsyncGenerator[pa.RecordBatch, None]:
        call = calls.scan(view, features, known_at, start, end, event_time, batch_rows, compress, first_key, last_key)
        return self._batches(Columns(call.name), call, timeout, progress)

    async def history(self, view: str, entity: Any, *, known_at: Any = None, timeout: float | None = None) -> Result:
        call = calls.history(await self._described(calls.selection([f"{view}.*"]), timeout), view, entity, known_at)
        return await self._collected(Columns(call.name), call, timeout, False)

    # Upkeep

    async def stats(self, *, timeout: float | None = None) -> dict[str, Any]:
        return await self._run(calls.stats(), timeout)

    async def compact(self, view: str, *, progress: bool | None = None, timeout: float | None = None) -> Any:
        return await self._long(calls.compact(view), f"compact {view}", progress, timeout)

    async def retain(
        self,
        views: Sequence[str] = (),
        *,
        horizon: Any = None,
        dry_run: bool = False,
        progress: bool | None = None,
        timeout: float | None = None,
    ) -> Any:
        names = [views] if isinstance(views, str) else views
        return await self._long(calls.retain(names, horizon, dry_run), "retain", progress, timeout)

    async def erase(self, entity: str, keys: Mapping[str, Any], *, dry_run: bool = False, timeout: float | None = None) -> dict[str, Any]:
        return await self._run(calls.erase(entity, keys, dry_run), timeout)

    # How requests are carried

    async def _connection(self, seconds: float | None = None) -> AsyncConnection:
        """The connection that has least to do, opened where there is none. Streams share one only when the pool is used up."""
        if (found := self._at_once()) is not None:
            return found
        try:
            return await asyncio.wait_for(self._new(), seconds)
        except asyncio.TimeoutError as error:
            if isinstance(error, WhenceError):
                raise
            raise DeadlineExceeded(
                "no connection was open in time", place=self._settings.address, retryable=True, hint="ask with a longer timeout="
            ) from None

    def _at_once(self) -> AsyncConnection | None:
        """A connection that need not be waited for; None where one is to be opened."""
        if self._is_closed:
            raise ConnectionLost("the client was closed", place=self._settings.address, hint="connect again")
        self._connections = [connection for connection in self._connections if connection.is_usable]
        free = [connection for connection in self._connections if not connection.has_stream]
        if not free and len(self._connections) < self._size:
            return None
        return min(free or self._connections, key=lambda connection: connection.load)

    async def _new(self) -> AsyncConnection:
        async with self._opening:
            if (found := self._at_once()) is not None:
                return found
            opened = await self._opened()
            self._connections.append(opened)
            self._last = opened
            return opened

    async def _opened(self) -> AsyncConnection:
        attempt = 1
        while True:
            try:
                return await AsyncConnection.open(self._settings)
            except NotAuthenticated:
                raise
            except WhenceError as error:
                attempt += 1
                if not error.retryable or attempt > self._settings.retries.attempts:
                    raise
                pause = self._settings.retries.pause(error, attempt)
            await asyncio.sleep(pause)

    async def _run(self, call: Call[T], timeout: float | None = None) -> T:
        return await self._carried(call, self._settings.seconds(timeout), None)

    async def _long(self, call: Call[T], what: str, progress: bool | None, timeout: float | None) -> T:
        """What may take long: the server's own limit, unless one is given."""
        with Bar(what, None, wanted=progress) as bar:
            return await self._carried(call, checked_timeout(timeout), bar.show)

    async def _carried(self, call: Call[T], seconds: float | None, on_progress: Callable[[tuple[int, int, str]], None] | None) -> T:
        async def once() -> T:
            connection = await self._connection(seconds)
            return await connection.call(call, seconds, on_progress)

        return await self._repeated(once, call.repeatable, self._deadline(seconds))

    async def _exchange(self, payload: bytes, seconds: float | None) -> Frame:
        """An online read whose payload is there."""

        async def once() -> Frame:
            connection = await self._connection(seconds)
            return await connection.exchange(kinds.ONLINE_READ, payload, seconds)

        return await self._repeated(once, True, self._deadline(seconds))

    async def _read_pieces(
        self, encoder: ReadEncoder, entities: Any, known: KnownAnswers, seconds: float | None
    ) -> tuple[Answer, KnownAnswers]:
        """An online read of more entities than one request takes. The timeout is that of each request."""
        requests = encoder.pieces(entities, told(seconds), known, self._last.welcome.longest_payload)
        try:
            payload = next(requests)
            while True:
                payload = requests.send(await self._exchange(payload, seconds))
        except StopIteration as end:
            return end.value

    async def _stream(
        self, call: StreamCall, timeout: float | None, started: Callable[[Stream], None]
    ) -> AsyncGenerator[pa.RecordBatch, None]:
        connection = await self._connection(checked_timeout(timeout))
        async with aclosing(connection.stream(call, timeout, started)) as batches:
            async for batch in batches:
                yield batch

    def _batches(
        self, columns: Columns, call: StreamCall, timeout: float | None, progress: bool | None, rows: int | None = None
    ) -> AsyncGenerator[pa.RecordBatch, None]:
        """The batches as they come, with a bar; of so many rows, where that is known."""
        return shown_async(self._stream(call, timeout, columns.start), call.name, rows, progress)

    async def _collected(
        self, columns: Columns, call: StreamCall, timeout: float | None, progress: bool | None, spine: pa.Table | None = None
    ) -> Result:
        rows = None if spine is None else spine.num_rows

        async def collected() -> Result:
            found = [batch async for batch in self._batches(columns, call, timeout, progress, rows)]
            return result_of(columns, found, spine)

        return await self._repeated(collected, call.repeatable, None)

    async def _repeated(self, once: Callable[[], Any], repeatable: bool, deadline: float | None) -> Any:
        attempt = 1
        while True:
            try:
                return await once()
            except WhenceError as error:
                attempt += 1
                late = deadline is not None and asyncio.get_running_loop().time() + error.retry_after > deadline
                given_up = attempt > self._settings.retries.attempts or error.code == 4001 or self._is_closed
                if not (repeatable and error.retryable) or late or given_up:
                    raise
                pause = self._settings.retries.pause(error, attempt)
            await asyncio.sleep(pause)

    async def _write(
        self, view: str, table: Any, options: TableOptions, action: int, key: str | bytes | None, batch_rows: int,
        progress: bool | None, timeout: float | None,
    ) -> Committed:  # fmt: skip
        described = await self._described(calls.selection([f"{view}.*"]), timeout)
        try:
            writing = Writing(described, view, table, options, action, key, batch_rows)
        except InputError:
            # The view may have got the feature since.
            fresh = await self._described(calls.selection([f"{view}.*"]), timeout, fresh=True)
            if fresh == described:
                raise
            writing = Writing(fresh, view, table, options, action, key, batch_rows)
        with Bar(f"write {view}", writing.total, wanted=progress) as bar:
            for piece in writing.pieces(self._last.welcome.longest_payload):
                try:
                    committed = await self._run(piece, timeout)
                except WhenceError as error:
                    raise writing.failed(error) from error.__cause__
                writing.committed(committed)
                bar.advance(committed.rows)
        return writing.result()

    async def _join(
        self, spine: Any, service: str | Sequence[str], options: JoinOptions, timeout: float | None
    ) -> tuple[Columns, pa.Table, StreamCall]:
        described = await self._described(calls.selection(service), timeout)
        given = tables.to_table(spine, f"spine of '{described.selection}'")
        call = calls.join_rows(described, given, options)
        return Columns(call.name, {*described.join_keys, options.event_time}), given, call

    async def _described(self, chosen: messages.Selection, timeout: float | None = None, fresh: bool = False) -> Description:
        found = None if fresh else self._descriptions.get(chosen)
        if found is None:
            found = await self._run(calls.describe(chosen), timeout)
            if len(self._descriptions) > 1000:
                self._descriptions.clear()
            self._descriptions[chosen] = found
        return found

    def _forget(self) -> None:
        self._descriptions.clear()
        self._reads.clear()

    def _deadline(self, seconds: float | None) -> float | None:
        return None if seconds is None else asyncio.get_running_loop().time() + seconds
