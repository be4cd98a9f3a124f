"""The client: a pool of connections, and a method for each thing that a server does."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from . import calls, tables
from .answer import Answer, KnownAnswers
from .calls import Description, JoinOptions, StreamCall, TableOptions
from .carrier import Carrier
from .errors import DefinitionError, InputError, NotFound, WhenceError
from .prepared import PreparedRead, ReadEncoder, read_answer
from .progress import Bar, counted, shown
from .results import Result
from .settings import Retries, Settings, check_pool_size, make_settings, told
from .spines import Columns, result_of, with_spine
from .wire import kinds, messages
from .wire.messages import Committed
from .wire.streams import Stream
from .writing import Writing


def connect(
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
    pool_size: int = 8,
    retries: Retries | int | None = None,
) -> Client:
    """Connects to `whence serve`.

    Args:
        address: `HOST`, `HOST:PORT` (9462 unless stated) or `[IPV6]:PORT`.
        token: a bearer token, or `user` and `password` (SCRAM-SHA-256), or `cert` and `key` (mutual TLS).
        tls: True for TLS with the system's authorities, or a context of `ssl`. On by itself where `ca` or `cert` is given.
        ca: file of the authorities (PEM) that sign the server's certificate.
        cert, key: files of this client's certificate and key (PEM).
        server_name: the name in the server's certificate, where it is not the host's.
        timeout: the seconds that a short request may take, unless its call says otherwise; None leaves it to the server. Joins,
            scans and backfills have none of their own but the server's, an hour.
        pool_size: the connections that may be open at once. Each carries one request of one thread at a time.
        retries: how often what is safe to repeat is tried in all, or a `Retries`.

    Throws `ConnectionLost` where nobody answers, and `NotAuthenticated` where the server does not know who asks: the first connection is
    opened here.
    """
    settings = make_settings(
        address, token=token, user=user, password=password, tls=tls, ca=ca, cert=cert, key=key,
        server_name=server_name, timeout=timeout, retries=retries,
    )  # fmt: skip
    check_pool_size(pool_size)
    client = Client(settings, pool_size)
    with client._carrier.pool.connection():
        pass
    return client


class Client:
    """A server, as seen from here. Made by `connect`; safe to use from many threads; a context manager.

    Every method throws a `WhenceError`. What is safe to repeat (all reads, and writes, which carry an idempotency key) is repeated after
    errors that say so, with growing pauses, within the timeout.
    """

    def __init__(self, settings: Settings, pool_size: int) -> None:
        self._settings = settings
        self._carrier = Carrier(settings, pool_size)
        self._descriptions: dict[messages.Selection, Description] = {}
        self._reads: dict[tuple[messages.Selection, bool, bool], tuple[ReadEncoder, KnownAnswers]] = {}
        self._lock = threading.Lock()

    # The connection

    def close(self) -> None:
        """Closes the connections. Whatever is asked after is refused."""
        self._carrier.pool.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<whencedb client of {self._settings.address}{' with TLS' if self._settings.tls else ''}>"

    def ping(self, timeout: float | None = None) -> int:
        """The server's time, in microseconds since the Unix epoch."""
        return self._carrier.run(calls.ping(), timeout)

    @property
    def server(self) -> str:
        """Name and version of the server, as it said when the last connection was opened."""
        return self._carrier.welcome().server

    @property
    def user(self) -> tuple[str, list[str]] | None:
        """Who the server takes this client for, and the roles; None where it asks nobody."""
        self._carrier.welcome()
        found = self._carrier.pool.authenticated
        return None if found is None else (found.user, found.roles)

    # Definitions

    def plan(self, definitions: Any, *, timeout: float | None = None) -> dict[str, Any]:
        """What `apply` would change. Nothing is changed."""
        return self._carrier.run(calls.plan(definitions), timeout)

    def apply(self, definitions: Any, *, base_version: int | None = None, timeout: float | None = None) -> dict[str, Any]:
        """Adds and changes definitions.

        Args:
            definitions: YAML as text, the path of a file or of a folder of files, or a list of these; all count as one.
            base_version: the version of the catalog that the change was planned against; it is refused where it has another by now.
        """
        done = self._carrier.run(calls.apply(definitions, base_version), timeout)
        self._forget()
        return done

    def catalog(self, *, timeout: float | None = None) -> list[dict[str, Any]]:
        """Every version of every definition: kind, name, version, hash."""
        return self._carrier.run(calls.catalog(), timeout)

    def show(self, name: str, *, kind: str = "", version: int = 0, timeout: float | None = None) -> dict[str, Any]:
        """One definition: the latest, or `version`. `kind` (entity, view, service) tells apart what has the same name."""
        return self._carrier.run(calls.show(name, kind, version), timeout)

    def definitions(self, *, timeout: float | None = None) -> dict[str, Any]:
        """The whole catalog as it is stored."""
        return self._carrier.run(calls.definitions(), timeout)

    def describe(self, service: str | Sequence[str], *, timeout: float | None = None) -> Description:
        """What a read of a service (`NAME` or `NAME@VERSION`), or of a list of features (`VIEW.FEATURE`, `VIEW.*`), takes and gives."""
        return self._carrier.run(calls.describe(calls.selection(service)), timeout)

    # Writes

    def write(
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
        """Writes rows of a view, durably.

        A large table goes in several commits, one after the other; each is atomic, and repeating it is one write.

        Args:
            table: join keys, event time, and any of the view's features.
            event_time: the name of its column, or one instant for all rows.
            available_at: the name of the column that says when a row could first have been served.
            idempotency_key: the same key with the same table is one write, also from another process; made up unless given.
            missing_is_null: whether a missing value is stored as a null; else the row does not carry that feature.
            zone: the IANA zone of times that name none; they are refused without.
            floor_times: floors times that are finer than a microsecond; they are refused without.
            batch_rows: rows of one commit; 65,536 unless given.
            progress: a bar; by itself in terminals and notebooks, once it takes long.

        Returns the last commit, with the rows of all of them.
        """
        options = TableOptions(event_time, available_at, missing_is_null, zone, floor_times)
        return self._write(view, table, options, messages.ROWS, idempotency_key, batch_rows, progress, timeout)

    def delete(
        self, view: str, keys: tables.TableLike, event_time: Any = "event_time", *, idempotency_key: str | bytes | None = None,
        zone: str | None = None, floor_times: bool = False, timeout: float | None = None,
    ) -> Committed:  # fmt: skip
        """From the event time on, the entities have no values, until they are written again. `event_time` may be one instant for all."""
        options = TableOptions(event_time, None, False, zone, floor_times)
        return self._write(view, keys, options, messages.DELETIONS, idempotency_key, 0, False, timeout)

    def retract(
        self, view: str, keys: tables.TableLike, event_time: Any = "event_time", *, idempotency_key: str | bytes | None = None,
        zone: str | None = None, floor_times: bool = False, timeout: float | None = None,
    ) -> Committed:  # fmt: skip
        """Says that the versions at exactly these event times never happened: readers fall through to older ones."""
        options = TableOptions(event_time, None, False, zone, floor_times)
        return self._write(view, keys, options, messages.RETRACTIONS, idempotency_key, 0, False, timeout)

    def backfill(
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
        """Writes history in bulk: sorted runs, published as one commit. `data` is a table, or an iterator or generator of tables.

        It is not repeated by itself after the connection was lost, since it may be there already.
        """
        options = TableOptions(event_time, available_at, missing_is_null, zone, floor_times)
        call = calls.backfill(self._described([f"{view}.*"], timeout), view, data, options)
        done: list[Committed] = []

        def started(stream: Stream) -> None:
            if stream.committed is not None:
                done.append(stream.committed)

        with Bar(call.name, None, wanted=progress) as bar:
            for _ in self._carrier.stream(counted(call, bar), timeout, started):
                pass
        return done[0]

    # Reads

    def get(
        self, service: str | Sequence[str], entities: Any, event_times: bool = False, ages: bool = False, *, timeout: float | None = None
    ) -> Answer:
        """The features of entities, now.

        Args:
            service: `NAME`, `NAME@VERSION`, or a list of features.
            entities: join keys as a dict of lists, a list of dicts, a frame, a table; where there is one join key, also a list or array.
            event_times: also the event time of the newest version of each view that gave a value, as `VIEW.event_time`.
            ages: also how old that is, as `VIEW.age`, in microseconds.
        """
        chosen = calls.selection(service)
        described = self._described(chosen, timeout)
        place = (chosen, event_times, ages)
        encoder, known = self._reads.get(place) or (ReadEncoder(described, event_times, ages), KnownAnswers())
        seconds = self._settings.seconds(timeout)
        keys = encoder.arrays(entities)
        asked = pa.table(dict(zip(described.join_keys, keys, strict=True)))
        payload = encoder.payload(asked, told(seconds), known.schema_id)
        try:
            if encoder.is_one(payload):
                answer, newer = read_answer(self._carrier.exchange(kinds.ONLINE_READ, payload, seconds), known)
            else:
                answer, newer = self._carrier.read_pieces(encoder, asked, known, seconds)
        except (InputError, NotFound, DefinitionError):
            self._forget()
            raise
        if newer is not known:
            self._reads[place] = (encoder, newer)
        answer._entities = asked
        return answer

    def prepare(self, service: str | Sequence[str], event_times: bool = False, ages: bool = False) -> PreparedRead:
        """A read that is asked again and again, with as little overhead as there can be: numpy in, numpy out."""
        return PreparedRead(self, self._described(calls.selection(service), fresh=True), event_times, ages)

    def as_of(
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
        """The point-in-time join: for each row of the spine, the features as they were at the row's own time.

        Args:
            spine: a table with the join keys, a column of times, and whatever else: it all comes back, in the same order, with the
                features behind it. Only keys and times are sent.
            event_time: the name of the column of times.
            known_at: a time or a commit time: reads what was known then. The result's `known_at` repeats this very read.
            as_served: leaves out what serving could not have seen yet.
            zone, floor_times: as in `write`.
            memory_bytes: what the server may use for one block; its own choice unless given.
            compress: zstd on the way back, for slow networks.
            progress: a bar, as in `write`.
        """
        options = JoinOptions(event_time, known_at, as_served, zone, floor_times, memory_bytes=memory_bytes, compress=compress)
        columns, given, call = self._join(spine, service, options, timeout)
        return self._collected(columns, call, timeout, progress, given)

    def as_of_batches(
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
    ) -> Generator[pa.RecordBatch, None, None]:
        """`as_of` batch by batch, for what does not fit into memory at once. Leaving the loop cancels the rest."""
        options = JoinOptions(
            event_time, known_at, as_served, zone, floor_times, memory_bytes=memory_bytes, batch_rows=batch_rows, compress=compress
        )
        columns, given, call = self._join(spine, service, options, timeout)
        return with_spine(columns, self._batches(columns, call, timeout, progress, given.num_rows), given)

    def as_of_entities(
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
        """The features of every entity of a view that has a version with an event time from `start` to `end`, at each of the instants, or at
        the one. `zone` is that of all times here that name none; the rest is as in `as_of`."""
        options = JoinOptions(event_time, known_at, as_served, zone, memory_bytes=memory_bytes, compress=compress)
        call = calls.join_entities(calls.selection(service), options, view, instants, start, end)
        return self._collected(Columns(call.name), call, timeout, progress)

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
    ) -> Generator[pa.RecordBatch, None, None]:
        """`as_of_entities` batch by batch. Leaving the loop cancels the rest."""
        options = JoinOptions(event_time, known_at, as_served, zone, memory_bytes=memory_bytes, batch_rows=batch_rows, compress=compress)
        call = calls.join_entities(calls.selection(service), options, view, instants, start, end)
        return self._batches(Columns(call.name), call, timeout, progress)

    def scan(
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
        """Every row of a view with an event time from `start` to `end`, of the entities from `first_key` to `last_key`, all ends included.

        Of several versions of one event time the newest that is known counts, and what was deleted or retracted is left out; a feature
        that a row does not carry is null. A key is a dict of join keys, all or the first few; a last key of the first few takes in all
        entities that begin with them.
        """
        call = calls.scan(view, features, known_at, start, end, event_time, 0, compress, first_key, last_key)
        return self._collected(Columns(call.name), call, timeout, progress)

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
    ) -> Generator[pa.RecordBatch, None, None]:
        """`scan` batch by batch. Leaving the loop cancels the rest."""
        call = calls.scan(view, features, known_at, start, end, event_time, batch_rows, compress, first_key, last_key)
        return self._batches(Columns(call.name), call, timeout, progress)

    def history(self, view: str, entity: Any, *, known_at: Any = None, timeout: float | None = None) -> Result:
        """All versions of one entity (a dict of its join keys), with their three times, what they are, and which features they carry."""
        call = calls.history(self._described([f"{view}.*"], timeout), view, entity, known_at)
        return self._collected(Columns(call.name), call, timeout, False)

    # Upkeep

    def stats(self, *, timeout: float | None = None) -> dict[str, Any]:
        """What the store holds and how it stands."""
        return self._carrier.run(calls.stats(), timeout)

    def compact(self, view: str, *, progress: bool | None = None, timeout: float | None = None) -> Any:
        """Compacts a view."""
        return self._carrier.long(calls.compact(view), f"compact {view}", progress, timeout)

    def retain(
        self,
        views: Sequence[str] = (),
        *,
        horizon: Any = None,
        dry_run: bool = False,
        progress: bool | None = None,
        timeout: float | None = None,
    ) -> Any:
        """Drops what is older than the horizon, or than each view's declared retention; what a read at the horizon needs is kept."""
        names = [views] if isinstance(views, str) else views
        return self._carrier.long(calls.retain(names, horizon, dry_run), "retain", progress, timeout)

    def erase(self, entity: str, keys: Mapping[str, Any], *, dry_run: bool = False, timeout: float | None = None) -> dict[str, Any]:
        """Removes one entity from all views, for good. `dry_run` only says what would go."""
        return self._carrier.run(calls.erase(entity, keys, dry_run), timeout)

    # What the methods share

    def _collected(
        self, columns: Columns, call: StreamCall, timeout: float | None, progress: bool | None, spine: pa.Table | None = None
    ) -> Result:
        rows = None if spine is None else spine.num_rows
        return self._carrier.repeated(
            lambda: result_of(columns, list(self._batches(columns, call, timeout, progress, rows)), spine), call.repeatable, None
        )

    def _batches(
        self, columns: Columns, call: StreamCall, timeout: float | None, progress: bool | None, rows: int | None = None
    ) -> Generator[pa.RecordBatch, None, None]:
        """The batches as they come, with a bar; of so many rows, where that is known."""
        return shown(self._carrier.stream(call, timeout, columns.start), call.name, rows, progress)

    def _write(
        self, view: str, table: Any, options: TableOptions, action: int, key: str | bytes | None, batch_rows: int,
        progress: bool | None, timeout: float | None,
    ) -> Committed:  # fmt: skip
        described = self._described([f"{view}.*"], timeout)
        try:
            writing = Writing(described, view, table, options, action, key, batch_rows)
        except InputError:
            # The view may have got the feature since.
            fresh = self._described([f"{view}.*"], timeout, fresh=True)
            if fresh == described:
                raise
            writing = Writing(fresh, view, table, options, action, key, batch_rows)
        with Bar(f"write {view}", writing.total, wanted=progress) as bar:
            for piece in writing.pieces(self._carrier.welcome().longest_payload):
                try:
                    committed = self._carrier.run(piece, timeout)
                except WhenceError as error:
                    raise writing.failed(error) from error.__cause__
                writing.committed(committed)
                bar.advance(committed.rows)
        return writing.result()

    def _join(
        self, spine: Any, service: str | Sequence[str], options: JoinOptions, timeout: float | None
    ) -> tuple[Columns, pa.Table, StreamCall]:
        described = self._described(calls.selection(service), timeout)
        given = tables.to_table(spine, f"spine of '{described.selection}'")
        call = calls.join_rows(described, given, options)
        return Columns(call.name, {*described.join_keys, options.event_time}), given, call

    def _described(self, service: messages.Selection | Sequence[str], timeout: float | None = None, fresh: bool = False) -> Description:
        chosen = service if isinstance(service, messages.Selection) else calls.selection(service)
        found = None if fresh else self._descriptions.get(chosen)
        if found is None:
            found = self._carrier.run(calls.describe(chosen), timeout)
            with self._lock:
                if len(self._descriptions) > 1000:
                    self._descriptions.clear()
                self._descriptions[chosen] = found
        return found

    def _forget(self) -> None:
        with self._lock:
            self._descriptions.clear()
            self._reads.clear()
