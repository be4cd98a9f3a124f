"""Requests as values: what to send, how to read the answer, and whether it may be sent twice. The clients only carry them."""

from __future__ import annotations

import difflib
import json
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
import pyarrow as pa

from . import tables, times
from .errors import InputError
from .wire import kinds, messages
from .wire.frames import Frame
from .wire.messages import Committed, Selection
from .wire.primitives import Payload, violation
from .wire.types import WireSchema, WireType

T = TypeVar("T")

TIMESTAMP = WireType.named("timestamp")
#: About the bytes of a frame of rows: large enough to cost nothing each, small enough to be on its way while the next is made.
FRAME_BYTES = 2 << 20


@dataclass(frozen=True)
class Call(Generic[T]):
    """A request that is answered by one message."""

    kind: int
    body: Callable[[Payload], Payload]
    answer: int
    read: Callable[[Any], T]
    #: Whether doing it twice is the same as doing it once.
    repeatable: bool = True

    def encode(self, timeout_microseconds: int) -> Payload:
        return self.body(messages.timed(timeout_microseconds))

    def result(self, frame: Frame) -> T:
        if frame.kind != self.answer:
            raise violation(f"a request of kind {self.kind} was answered by a message of kind {frame.kind}")
        return self.read(frame.payload)


@dataclass(frozen=True)
class StreamCall:
    """A request that is answered by a stream, or that uploads."""

    #: What it is called, on a progress bar and in the result: `scan of trips`.
    name: str
    kind: int
    body: Callable[[Payload], Payload]
    #: Makes the upload, given the longest payload that the server takes; None where there is none.
    upload: Callable[[int], Iterator[tuple[Payload, int]]] | None = None
    is_download: bool = True
    repeatable: bool = True
    batch_rows: int = 0
    compress: bool = False

    def __post_init__(self) -> None:
        whole(self.batch_rows, "batch_rows")

    def encode(self, timeout_microseconds: int, window: int) -> Payload:
        if not self.is_download:
            return self.body(messages.timed(timeout_microseconds))
        return self.body(messages.streamed(timeout_microseconds, window, self.batch_rows, self.compress))


@dataclass(frozen=True)
class Description:
    """What a reader of a service or of features needs to know.

    Attributes:
        name: the service, or the features asked for.
        version: of the service; 0 for features.
        join_keys: the columns that a read takes, each with its type.
        features: the columns that a read gives, each with its type.
        views: the views that they come from.
    """

    name: str
    version: int
    join_keys: dict[str, str]
    features: dict[str, str]
    views: list[str]
    selection: Selection = field(repr=False, default=Selection())

    @property
    def key_schema(self) -> WireSchema:
        return WireSchema((name, WireType.named(kind)) for name, kind in self.join_keys.items())


def whole(value: Any, name: str, bits: int = 32) -> int:
    """A number of things, none or more."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not 0 <= value < 1 << bits:
        raise InputError(f"{name}={value!r}", place=name, hint=f"give a whole number from 0 to {(1 << bits) - 1:,}")
    return int(value)


def selection(service: str | Sequence[str]) -> Selection:
    """A service by name, or features as a list."""
    if isinstance(service, str):
        if not service:
            raise InputError("the name of the service is empty", place="service")
        return Selection(service=service)
    features = tuple(service) if isinstance(service, Iterable) else ()
    if not isinstance(service, Iterable) or not all(isinstance(feature, str) for feature in features):
        raise InputError(f"{service!r} is no service", place="service", hint="give its name, or a list of VIEW.FEATURE")
    if not features:
        raise InputError("no features were asked for", place="service", hint="give a service, or a list of VIEW.FEATURE")
    return Selection(features=features)


def _document(kind: int, body: Callable[[Payload], Payload], repeatable: bool = True) -> Call[Any]:
    return Call(kind, body, kinds.DOCUMENT, lambda payload: json.loads(messages.read_document(payload)), repeatable)


def ping() -> Call[int]:
    return Call(kinds.PING, lambda payload: payload, kinds.PONG, messages.read_pong)


# Definitions


def files_of(definitions: Any) -> list[tuple[str, str]]:
    """Names and texts of definitions: YAML as text, a path, or a list of either. Text has more than one line, a path has one."""
    if isinstance(definitions, (str, pathlib.PurePath)):
        definitions = [definitions]
    if not isinstance(definitions, Iterable):
        raise InputError(f"{definitions!r} are no definitions", place="definitions", hint="give YAML as text, or the path of a file")
    files: list[tuple[str, str]] = []
    for number, item in enumerate(definitions, 1):
        if isinstance(item, str) and ("\n" in item or ": " in item):
            files.append((f"<text {number}>", item))
            continue
        try:
            path = pathlib.Path(item)
            found = sorted([*path.glob("*.yaml"), *path.glob("*.yml")]) if path.is_dir() else [path]
        except (TypeError, ValueError) as error:
            raise InputError(f"{item!r} is no path: {error}", place="definitions") from None
        if not found:
            raise InputError("the folder holds no .yaml file", place=str(path))
        for file in found:
            try:
                files.append((str(file), file.read_text(encoding="utf-8")))
            except (OSError, ValueError) as error:
                raise InputError(f"the definitions cannot be read: {error}", place=str(file)) from None
    return files


def plan(definitions: Any) -> Call[Any]:
    files = files_of(definitions)
    return _document(kinds.PLAN, lambda payload: messages.definitions(payload, files))


def apply(definitions: Any, base_version: int | None) -> Call[Any]:
    # Applying what is there already changes nothing. With a base version, though, a repeat would be told that it comes too late.
    files = files_of(definitions)
    if base_version is not None:
        whole(base_version, "base_version")
    return _document(kinds.APPLY, lambda payload: messages.apply(payload, files, base_version), base_version is None)


def catalog() -> Call[Any]:
    return _document(kinds.CATALOG_LIST, lambda payload: payload)


def show(name: str, kind: str, version: int) -> Call[Any]:
    whole(version, "version")
    return _document(kinds.CATALOG_SHOW, lambda payload: messages.catalog_show(payload, kind, name, version))


def definitions() -> Call[Any]:
    return _document(kinds.DEFINITIONS, lambda payload: payload)


def describe(chosen: Selection) -> Call[Description]:
    def read(payload: Any) -> Description:
        document = json.loads(messages.read_document(payload))
        return Description(
            document["name"],
            document["version"],
            {key["name"]: key["type"] for key in document["join_keys"]},
            {feature["name"]: feature["type"] for feature in document["features"]},
            document["views"],
            chosen,
        )

    return Call(kinds.DESCRIBE, chosen.write, kinds.DOCUMENT, read)


# Writes


@dataclass(frozen=True)
class TableOptions:
    """How a table of a write is to be understood."""

    event_time: Any = "event_time"
    available_at: str | None = None
    missing_is_null: bool = False
    zone: str | None = None
    floor_times: bool = False


def rows_for(view: Description, name: str, table: Any, options: TableOptions, action: int = messages.ROWS) -> tuple[pa.Table, WireSchema]:
    """The columns of a table as a write of that view takes them: join keys, times, and for rows the features."""
    place = f"view '{name}'"
    given = tables.to_table(table, place, list(view.join_keys) if not isinstance(options.event_time, str) else ())
    event_time, given = _event_times(given, options, place)
    columns: dict[str, tuple[Any, WireType]] = {}
    for key, kind in view.join_keys.items():
        columns[key] = tables.pick(given, key, "join key", place), WireType.named(kind)
    columns[event_time] = tables.pick(given, event_time, "event time", place), TIMESTAMP
    if options.available_at:
        columns[options.available_at] = tables.pick(given, options.available_at, "availability time", place), TIMESTAMP
    features = {feature.removeprefix(f"{name}."): kind for feature, kind in view.features.items()}
    for column in given.column_names:
        if column in columns:
            continue
        if action != messages.ROWS:
            raise InputError(
                f"deletions and retractions carry no features, and there is a column '{column}'",
                place=place,
                hint="give join keys and times only",
            )
        if (reserved := _reserved(column, features)) is not None:
            columns[column] = tables.pick(given, column, "reserved column", place), reserved
            continue
        if column not in features:
            near = difflib.get_close_matches(column, features, 1)
            hint = f"did you mean '{near[0]}'?" if near else f"its features are {', '.join(features)}"
            raise InputError(f"there is no feature '{column}'", code=1006, place=place, hint=hint)
        columns[column] = tables.pick(given, column, "feature", place), WireType.named(features[column])
    arrays = {
        column: tables.conform(array, kind, column, zone=options.zone, floor=options.floor_times)
        for column, (array, kind) in columns.items()
    }
    return pa.table(arrays), WireSchema((column, kind) for column, (_, kind) in columns.items())


def _reserved(column: str, features: Mapping[str, str]) -> WireType | None:
    """The type of a column that tells rows apart: what each is, or whether it carries a feature."""
    if column == "_kind":
        return WireType.named("string")
    name, _, feature = column.partition(".")
    return WireType.named("bool") if name == "_carries" and feature in features else None


def _event_times(given: pa.Table, options: TableOptions, place: str) -> tuple[str, pa.Table]:
    """The name of the column of event times, which one instant for all rows becomes too."""
    if isinstance(options.event_time, str):
        return options.event_time, given
    instant = times.microseconds(options.event_time, f"{place}, event_time", options.zone, options.floor_times)
    if "event_time" in given.column_names:
        raise InputError("the table has event times, and one for all rows was given too", place=place)
    constant = pa.repeat(pa.scalar(instant, pa.int64()), given.num_rows).cast(times.TIMESTAMP)
    return "event_time", given.append_column("event_time", constant)


def write_call(key: bytes, parts: Sequence[messages.Part]) -> Call[Committed]:
    return Call(kinds.WRITE, lambda payload: messages.write(payload, key, parts), kinds.COMMITTED, Committed.read)


def backfill(view: Description, name: str, data: Any, options: TableOptions) -> StreamCall:
    """`data` is a table or an iterator of tables, whose columns are those of the first. It may be there already where its answer was lost, so
    it is not repeated."""
    rest = iter(data) if isinstance(data, Iterator) else iter([data])
    first = next(rest, None)
    if first is None:
        raise InputError("a backfill of no tables", place=f"view '{name}'")
    rows, schema = rows_for(view, name, first, options)
    event_time = options.event_time if isinstance(options.event_time, str) else "event_time"

    def upload(longest: int) -> Iterator[tuple[Payload, int]]:
        yield from tables.payloads(rows, schema, FRAME_BYTES, longest)
        for number, table in enumerate(rest, 2):
            more, its = rows_for(view, name, table, options)
            if set(its.columns) != set(schema.columns):
                raise InputError(f"table {number} of the backfill has other columns than the first", place=f"view '{name}'")
            yield from tables.payloads(more.select(schema.names), schema, FRAME_BYTES, longest)

    def body(payload: Payload) -> Payload:
        return messages.backfill(payload, name, options.missing_is_null, event_time, options.available_at or "", schema)

    return StreamCall(f"backfill {name}", kinds.BACKFILL, body, upload, is_download=False, repeatable=False)


# Reads


def keys_for(description: Description, entities: Any) -> pa.Table:
    """The join keys of the entities, in the order and the types that the service declares."""
    place = f"entities of '{description.selection}'"
    given = tables.to_table(entities, place, list(description.join_keys))
    return pa.table(
        {
            name: tables.conform(tables.pick(given, name, "join key", place), WireType.named(kind), name)
            for name, kind in description.join_keys.items()
        }
    )


def history(view: Description, name: str, entity: Any, known_at: Any) -> StreamCall:
    keys = keys_for(view, entity)
    pin = times.optional_microseconds(known_at, "known_at")
    schema, arrays = view.key_schema, [tables.one_chunk(column) for column in keys.columns]
    return StreamCall(f"history of {name}", kinds.HISTORY, lambda payload: messages.history(payload, name, pin, schema, arrays))


def key_bound(key: Any, name: str) -> tuple[WireSchema, list[pa.Array]] | None:
    """The first join keys of an entity, or all of them, as a scan is told where to begin or to end."""
    if key is None:
        return None
    if not isinstance(key, Mapping) or not key:
        raise InputError(f"{name}={key!r}", place=name, hint='name the join keys, or the first of them, as {"carrier": "UA"}')
    columns, arrays = [], []
    for column, value in key.items():
        if isinstance(value, np.generic):
            value = value.item()
        kind = {bool: "bool", int: "int64", str: "string", bytes: "bytes"}.get(type(value))
        if kind is None:
            raise InputError(f"the join key '{column}' is {value!r}", place=name, hint="give a whole number, a text, bytes, or a truth value")
        wire = WireType.named(kind)
        try:
            arrays.append(tables.one_chunk(tables.conform(pa.array([value]), wire, column)))
        except OverflowError:
            raise InputError(f"the join key '{column}' is {value!r}", place=name, hint="whole numbers have 64 bits") from None
        columns.append((column, wire))
    return WireSchema(columns), arrays


def scan(
    view: str,
    features: Sequence[str],
    known_at: Any,
    first: Any,
    last: Any,
    event_time: str,
    batch_rows: int,
    compress: bool,
    first_key: Any,
    last_key: Any,
) -> StreamCall:
    bounds = key_bound(first_key, "first_key"), key_bound(last_key, "last_key")
    pin = times.optional_microseconds(known_at, "known_at")
    start = times.EARLIEST if first is None else times.microseconds(first, "start")
    end = times.LATEST if last is None else times.microseconds(last, "end")
    return StreamCall(
        f"scan of {view}",
        kinds.SCAN,
        lambda payload: messages.scan(payload, view, features, pin, start, end, event_time, *bounds),
        batch_rows=batch_rows,
        compress=compress,
    )


@dataclass(frozen=True)
class JoinOptions:
    """How a join reads."""

    event_time: str = "event_time"
    known_at: Any = None
    as_served: bool = False
    zone: str | None = None
    floor_times: bool = False
    memory_bytes: int = 0
    batch_rows: int = 0
    compress: bool = False


def join_rows(description: Description, spine: pa.Table, options: JoinOptions) -> StreamCall:
    """Only join keys and times go to the server: what else the spine has stays here, and is put beside the answer again."""
    place = f"spine of '{description.selection}'"
    kinds_of = {name: WireType.named(kind) for name, kind in description.join_keys.items()} | {options.event_time: TIMESTAMP}
    columns = {}
    for name, kind in kinds_of.items():
        what = "event time" if name == options.event_time else "join key"
        found = tables.pick(spine, name, what, place)
        columns[name] = tables.conform(found, kind, name, zone=options.zone, floor=options.floor_times)
    double = [name for name in description.features if name in spine.column_names]
    if double:
        raise InputError(f"the spine has a column '{double[0]}', which the answer has too", place=place, hint="rename it")
    schema, keys = WireSchema(kinds_of.items()), pa.table(columns)
    call = _join(description.selection, options, messages.RowsSource(schema))
    upload = lambda longest: tables.payloads(keys, schema, FRAME_BYTES, longest)  # noqa: E731
    return StreamCall(call.name, call.kind, call.body, upload, batch_rows=options.batch_rows, compress=options.compress)


def join_entities(chosen: Selection, options: JoinOptions, view: str, instants: Sequence[Any], first: Any, last: Any) -> StreamCall:
    at = [times.microseconds(instant, "instants", options.zone) for instant in _several(instants)]
    start = times.EARLIEST if first is None else times.microseconds(first, "start", options.zone)
    end = times.LATEST if last is None else times.microseconds(last, "end", options.zone)
    return _join(chosen, options, messages.EntitiesSource(view, at, start, end))


def _several(instants: Any) -> Iterable[Any]:
    """The instants, where it is just one, too."""
    if isinstance(instants, np.ndarray):
        return instants.reshape(-1)
    return [instants] if isinstance(instants, (str, bytes)) or not isinstance(instants, Iterable) else instants


def _join(chosen: Selection, options: JoinOptions, source: Any) -> StreamCall:
    pin = times.optional_microseconds(options.known_at, "known_at", options.zone)
    whole(options.memory_bytes, "memory_bytes", 64)
    return StreamCall(
        f"as_of {chosen}",
        kinds.JOIN,
        lambda payload: messages.join(payload, chosen, options.event_time, pin, options.as_served, options.memory_bytes, source),
        batch_rows=options.batch_rows,
        compress=options.compress,
    )


# Upkeep


def stats() -> Call[Any]:
    return _document(kinds.STATS, lambda payload: payload)


def compact(view: str) -> Call[Any]:
    return _document(kinds.COMPACT, lambda payload: payload.string(view))


def retain(views: Sequence[str], horizon: Any, dry_run: bool) -> Call[Any]:
    at = times.optional_microseconds(horizon, "horizon")
    return _document(kinds.RETAIN, lambda payload: messages.retain(payload, views, at, dry_run))


def erase(entity: str, keys: Any, dry_run: bool) -> Call[Any]:
    given = tables.to_table(keys, f"entity '{entity}'")
    if given.num_rows != 1:
        raise InputError(f"one entity is erased at a time, and {given.num_rows} were given", place=f"entity '{entity}'")
    found = {name: tables.natural(tables.pick(given, name, "join key", f"entity '{entity}'"), name) for name in given.column_names}
    schema = WireSchema((name, kind) for name, (_, kind) in found.items())
    arrays = [tables.one_chunk(array) for array, _ in found.values()]
    return _document(kinds.ERASE, lambda payload: messages.erase(payload, entity, dry_run, schema, arrays))
