"""Messages: what a client says after the timeout of its requests, and what it reads of a server's answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from ..errors import WhenceError, from_wire
from .columns import read_columns, write_columns
from .frames import LONGEST_PAYLOAD, Frame
from .primitives import LONGEST_DEFINITIONS, MOST_NAMES, Payload, PayloadReader, violation
from .types import WireSchema, schema_id

MAGIC = 0x434E4857
VERSION = 1
ROWS, DELETIONS, RETRACTIONS = 0, 1, 2
EVENT_TIMES, AGES = 1, 2
LONGEST_KEY = 128
MOST_CREDIT = 1 << 40


# The opening


def hello(client: str, longest_payload: int = LONGEST_PAYLOAD) -> Payload:
    return Payload().u32(MAGIC).u16(VERSION).u16(VERSION).u32(longest_payload).string(client)


@dataclass(frozen=True)
class Welcome:
    """What a server says of itself."""

    version: int
    longest_payload: int
    open_requests: int
    upload_credit: int
    server: str
    mechanisms: list[str]

    @classmethod
    def read(cls, payload: Any) -> Welcome:
        reader = PayloadReader(payload)
        version = reader.u16()
        if version != VERSION:
            raise violation(f"the server chose version {version}, and this client speaks {VERSION}")
        if reader.u16():
            raise violation("bits of 'welcome' that should be 0 are set")
        welcome = cls(
            version, reader.u32(), reader.u32(), reader.u32(), reader.string(),
            reader.list(4, MOST_NAMES, reader.string),
        )  # fmt: skip
        reader.finish()
        if not 65_536 <= welcome.longest_payload <= LONGEST_PAYLOAD:
            raise violation(f"the server says that it takes payloads of {welcome.longest_payload} bytes")
        return welcome


def authenticate(mechanism: str, data: bytes) -> Payload:
    return Payload().string(mechanism).bytes(data)


def read_challenge(payload: Any) -> bytes:
    reader = PayloadReader(payload)
    data = reader.bytes()
    reader.finish()
    return data


@dataclass(frozen=True)
class Authenticated:
    """Who the server takes this client for."""

    user: str
    roles: list[str]
    data: bytes = field(repr=False)

    @classmethod
    def read(cls, payload: Any) -> Authenticated:
        reader = PayloadReader(payload)
        found = cls(reader.string(), reader.list(4, MOST_NAMES, reader.string), reader.bytes())
        reader.finish()
        return found


# Requests. Each is what follows the timeout.


def timed(timeout_microseconds: int) -> Payload:
    """The beginning of every request."""
    return Payload().u64(timeout_microseconds)


def streamed(timeout_microseconds: int, credit: int, batch_rows: int, compress: bool) -> Payload:
    """The beginning of every request that is answered by a stream."""
    return timed(timeout_microseconds).u32(credit).u32(batch_rows).flag(compress)


def definitions(payload: Payload, files: Sequence[tuple[str, str]]) -> Payload:
    payload.u32(len(files))
    for name, text in files:
        payload.string(name).string(text, LONGEST_DEFINITIONS)
    return payload


def apply(payload: Payload, files: Sequence[tuple[str, str]], base_version: int | None) -> Payload:
    definitions(payload, files)
    return payload.flag(False) if base_version is None else payload.flag(True).u32(base_version)


def catalog_show(payload: Payload, kind: str, name: str, version: int) -> Payload:
    return payload.string(kind).string(name).u32(version)


@dataclass(frozen=True)
class Selection:
    """A service, or features: exactly one of them."""

    service: str = ""
    features: tuple[str, ...] = ()

    def write(self, payload: Payload) -> Payload:
        return payload.string(self.service).names(self.features)

    def __str__(self) -> str:
        return self.service or ", ".join(self.features)


@dataclass(frozen=True)
class Part:
    """One table of a write."""

    view: str
    action: int
    missing_is_null: bool
    event_time: str
    availability_time: str
    schema: WireSchema
    arrays: Sequence[pa.Array]

    def write(self, payload: Payload) -> Payload:
        payload.string(self.view).u8(self.action).flag(self.missing_is_null)
        payload.string(self.event_time).string(self.availability_time)
        return write_columns(self.schema.write(payload), self.arrays, self.schema)


def write(payload: Payload, key: bytes, parts: Sequence[Part]) -> Payload:
    payload.bytes(key, LONGEST_KEY).u32(len(parts))
    for part in parts:
        part.write(payload)
    return payload


def online_read(
    payload: Payload, known_schema: int, what: int, selection: Selection, schema: WireSchema, arrays: Sequence[pa.Array]
) -> Payload:
    payload.u64(known_schema).u8(what).u8(0).u16(0)
    return write_columns(schema.write(selection.write(payload)), arrays, schema)


def history(payload: Payload, view: str, known_at: int | None, schema: WireSchema, arrays: Sequence[pa.Array]) -> Payload:
    return write_columns(schema.write(payload.string(view).option_i64(known_at)), arrays, schema)


def scan(
    payload: Payload,
    view: str,
    features: Sequence[str],
    known_at: int | None,
    first: int,
    last: int,
    event_time: str,
    first_key: tuple[WireSchema, Sequence[pa.Array]] | None = None,
    last_key: tuple[WireSchema, Sequence[pa.Array]] | None = None,
) -> Payload:
    payload.string(view).names(features).option_i64(known_at).i64(first).i64(last).string(event_time)
    for key in (first_key, last_key):
        payload.flag(key is not None)
        if key is not None:
            schema, arrays = key
            write_columns(schema.write(payload), arrays, schema)
    return payload


@dataclass(frozen=True)
class RowsSource:
    """The spine is uploaded."""

    schema: WireSchema

    def write(self, payload: Payload) -> Payload:
        return self.schema.write(payload.u8(0))


@dataclass(frozen=True)
class EntitiesSource:
    """Every entity of a view that has a version in the range, at each instant."""

    view: str
    instants: Sequence[int]
    first: int
    last: int

    def write(self, payload: Payload) -> Payload:
        payload.u8(1).string(self.view).u32(len(self.instants))
        for instant in self.instants:
            payload.i64(instant)
        return payload.i64(self.first).i64(self.last)


@dataclass(frozen=True)
class VersionsSource:
    """Every version of a view in the range."""

    view: str
    known_at: int | None
    first: int
    last: int

    def write(self, payload: Payload) -> Payload:
        return payload.u8(2).string(self.view).option_i64(self.known_at).i64(self.first).i64(self.last)


def join(
    payload: Payload,
    selection: Selection,
    event_time: str,
    known_at: int | None,
    as_served: bool,
    memory_bytes: int,
    source: RowsSource | EntitiesSource | VersionsSource,
) -> Payload:
    selection.write(payload).string(event_time).option_i64(known_at).flag(as_served).u64(memory_bytes)
    return source.write(payload)


def backfill(payload: Payload, view: str, missing_is_null: bool, event_time: str, availability_time: str, schema: WireSchema) -> Payload:
    payload.string(view).flag(missing_is_null).string(event_time).string(availability_time)
    return schema.write(payload)


def retain(payload: Payload, views: Sequence[str], horizon: int | None, dry_run: bool) -> Payload:
    return payload.names(views).option_i64(horizon).flag(dry_run)


def erase(payload: Payload, entity: str, dry_run: bool, schema: WireSchema, arrays: Sequence[pa.Array]) -> Payload:
    return write_columns(schema.write(payload.string(entity).flag(dry_run)), arrays, schema)


# Answers


def read_error(payload: Any) -> WhenceError:
    reader = PayloadReader(payload)
    error = from_wire(reader.u32(), reader.flag(), reader.u32(), reader.string(65_536), reader.string(65_536), reader.string(65_536))
    reader.finish()
    return error


def read_pong(payload: Any) -> int:
    reader = PayloadReader(payload)
    time = reader.i64()
    reader.finish()
    return time


def read_document(payload: Any) -> str:
    reader = PayloadReader(payload)
    text = reader.string(LONGEST_PAYLOAD)
    reader.finish()
    return text


@dataclass(frozen=True)
class Committed:
    """A durable commit.

    Attributes:
        commit_time: microseconds since the Unix epoch; `known_at=commit_time` reads the store as of this commit.
        is_repeat: whether the same write was there already.
        rows: how many rows it has.
    """

    commit_time: int
    is_repeat: bool
    rows: int

    @classmethod
    def read(cls, payload: Any) -> Committed:
        reader = PayloadReader(payload)
        found = cls(reader.i64(), reader.flag(), reader.u64())
        reader.finish()
        return found


def read_schema(payload: Any) -> tuple[int | None, WireSchema]:
    """The pin of a stream, and its schema."""
    reader = PayloadReader(payload)
    known_at, schema = reader.option_i64(), WireSchema.read(reader)
    reader.finish()
    return known_at, schema


def read_rows(frame: Frame, schema: WireSchema) -> pa.RecordBatch:
    """The rows of a frame, which lie in its payload."""
    data = pa.py_buffer(frame.payload)
    arrays, rows, end = read_columns(data, 0, schema)
    if end != data.size:
        raise violation(f"rows have {data.size - end} bytes too many")
    if not arrays:
        # A batch without columns has no length of its own, so it gets one that is never shown.
        return pa.RecordBatch.from_arrays([pa.nulls(rows)], ["rows"])
    return pa.RecordBatch.from_arrays(arrays, schema=schema.arrow)


def read_number(payload: Any, width: int) -> int:
    """The one number of `end` (8 bytes), `credit` and `draining` (4)."""
    reader = PayloadReader(payload)
    number = reader.u64() if width == 8 else reader.u32()
    reader.finish()
    return number


def read_progress(payload: Any) -> tuple[int, int, str]:
    reader = PayloadReader(payload)
    found = reader.u64(), reader.u64(), reader.string()
    reader.finish()
    return found


def read_answer_head(payload: Any, known: WireSchema | None, known_id: int) -> tuple[int, int, WireSchema, int]:
    """Of the answer to an online read: its time, the id of its schema, the schema, and the offset of its columns."""
    reader = PayloadReader(payload)
    time, identity = reader.i64(), reader.u64()
    if not reader.flag():
        if known is None or identity != known_id:
            raise violation("an answer leaves out a schema that was never sent")
        return time, identity, known, reader.offset
    start = reader.offset
    schema = WireSchema.read(reader)
    if schema_id(bytes(reader.data[start : reader.offset])) != identity:
        raise violation("the id of an answer's schema is not that of the schema")
    return time, identity, schema, reader.offset
