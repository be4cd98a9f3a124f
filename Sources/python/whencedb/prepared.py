"""The hot path: one service, asked again and again, with as little between the caller's arrays and the socket as possible."""

from __future__ import annotations

import struct
from collections.abc import Generator, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from . import tables
from .answer import Answer, KnownAnswers
from .calls import Description, keys_for
from .errors import InputError
from .settings import told
from .wire import kinds, messages
from .wire.columns import write_columns
from .wire.frames import LONGEST_OPENING, Frame
from .wire.primitives import Payload, violation
from .wire.types import WireType

if TYPE_CHECKING:
    from .client import Client

_HEAD = struct.Struct("<QQ")
_ROWS = struct.Struct("<I")
#: Rows of one online read.
MOST_ENTITIES = 10_000


def read_answer(frame: Frame, known: KnownAnswers) -> tuple[Answer, KnownAnswers]:
    if frame.kind != kinds.ANSWER:
        raise violation(f"an online read was answered by a message of kind {frame.kind}")
    return known.read(frame.payload)


class ReadEncoder:
    """Puts together the payloads of one online read. All but the entities is the same each time, and made once."""

    def __init__(self, description: Description, event_times: bool, ages: bool) -> None:
        self.description = description
        self.schema = description.key_schema
        what = messages.EVENT_TIMES * event_times + messages.AGES * ages
        tail = Payload().u8(what).u8(0).u16(0)
        self.schema.write(description.selection.write(tail))
        self._tail = b"".join(tail.finished())
        # `columns` begins at the next offset that is divisible by 8, counted from the payload's start.
        self._tail += bytes(-len(self._tail) % 8)
        self._keys = [(name, kind, kind.arrow) for name, kind in self.schema]
        # One key of 8 bytes is the usual case, and needs no general way of writing columns.
        self._single = self._keys[0][0] if len(self._keys) == 1 and self._keys[0][1] == WireType.named("int64") else None

    def is_one(self, payload: bytes) -> bool:
        """Whether every server takes this as one request."""
        (rows,) = _ROWS.unpack_from(payload, _HEAD.size + len(self._tail))
        return rows <= MOST_ENTITIES and len(payload) <= LONGEST_OPENING

    def pieces(
        self, entities: Any, timeout_microseconds: int, known: KnownAnswers, longest: int
    ) -> Generator[bytes, Frame, tuple[Answer, KnownAnswers]]:
        """The same read in as many requests as a server needs that takes payloads of `longest` bytes: gives payloads, and takes the answer to
        each. Each is read at its own now; the answer has the first."""
        keys = pa.RecordBatch.from_arrays(self.arrays(entities), names=[name for name, _, _ in self._keys])
        head = _HEAD.size + len(self._tail) + 64 * (1 + len(self._keys))
        answers = []
        for piece in tables.fitting(keys, MOST_ENTITIES, longest - head):
            frame = yield self.payload(dict(zip(keys.schema.names, piece.columns, strict=True)), timeout_microseconds, known.schema_id)
            answer, known = read_answer(frame, known)
            answers.append(answer)
        return Answer.joined(answers), known

    def payload(self, entities: Any, timeout_microseconds: int, known_schema: int) -> bytes:
        head = _HEAD.pack(timeout_microseconds, known_schema) + self._tail
        if self._single is not None and (keys := _int64s(entities, self._single)) is not None:
            rows = len(keys)
            return head + struct.pack("<IIIII4x", rows, 1, 0, 0, 8 * rows) + keys.tobytes()
        rest = Payload()
        write_columns(rest, self.arrays(entities), self.schema)
        return head + b"".join(bytes(part) if not isinstance(part, bytes) else part for part in rest.finished())

    def arrays(self, entities: Any) -> list[pa.Array]:
        """The join keys as arrays of the declared types, in their order."""
        if isinstance(entities, Mapping):
            values = [entities.get(name) for name, _, _ in self._keys]
            if not any(tables.is_single(value) for value in values):
                return [_array(value, *key[1:], key[0]) for value, key in zip(values, self._keys, strict=True)]
            # One entity, or a key that is missing: the general way knows which.
        elif len(self._keys) == 1 and isinstance(entities, (list, np.ndarray)):
            name, kind, arrow = self._keys[0]
            is_rows = entities.dtype.names if isinstance(entities, np.ndarray) else entities and isinstance(entities[0], Mapping)
            if not is_rows:
                return [_array(entities, kind, arrow, name)]
        return [tables.one_chunk(column) for column in keys_for(self.description, entities).columns]


def _int64s(entities: Any, name: str) -> np.ndarray | None:
    values = entities.get(name) if isinstance(entities, Mapping) else entities
    if type(values) is list and values and type(values[0]) is int:
        try:
            # Whatever is not an int makes this an array of another type, which goes the general way.
            values = np.array(values)
        except (ValueError, OverflowError):
            return None
    if isinstance(values, np.ndarray) and values.dtype == np.int64 and values.ndim == 1:
        return values
    return None


def _array(values: Any, kind: WireType, arrow: pa.DataType, name: str) -> pa.Array:
    # Arrow finds the type: told which, it would cut 1.5 to 1 without a word.
    array = tables.column(values, name)
    return array if type(array) is not pa.ChunkedArray and array.type == arrow else tables.one_chunk(tables.conform(array, kind, name))


class Prepared:
    """What a prepared read keeps from answer to answer, whoever carries it."""

    def __init__(self, description: Description, event_times: bool, ages: bool) -> None:
        self._encoder = ReadEncoder(description, event_times, ages)
        # It never changes, it is replaced; and each answer is read with the one of its own request. So threads need no lock.
        self._known = KnownAnswers()
        self.description = description

    def _answer(self, frame: Frame, known: KnownAnswers) -> Answer:
        answer, newer = read_answer(frame, known)
        if newer is not known:
            self._known = newer
        return answer

    def __repr__(self) -> str:
        keys = ", ".join(f"{name}: {kind}" for name, kind in self.description.join_keys.items())
        return f"<prepared read of {self.description.selection}({keys}): {len(self.description.features)} features>"


def checked_in_flight(in_flight: int) -> int:
    if not isinstance(in_flight, int) or in_flight < 1:
        raise InputError(f"in_flight={in_flight}", place="many", hint="give at least 1")
    return in_flight


class PreparedRead(Prepared):
    """An online read of one service, made by `Client.prepare`. Call it with entities; it may be shared by threads.

    Entities are a dict of lists or numpy arrays, one for each join key; where there is one join key, also the list or array alone.
    """

    def __init__(self, client: Client, description: Description, event_times: bool, ages: bool) -> None:
        super().__init__(description, event_times, ages)
        self._client = client

    def __call__(self, entities: Any, timeout: float | None = None) -> Answer:
        """The features of the entities, now. Throws as `Client.get` does."""
        client = self._client
        known = self._known
        seconds = client._settings.seconds(timeout)
        payload = self._encoder.payload(entities, told(seconds), known.schema_id)
        if self._encoder.is_one(payload):
            return self._answer(client._carrier.exchange(kinds.ONLINE_READ, payload, seconds), known)
        answer, newer = client._carrier.read_pieces(self._encoder, entities, known, seconds)
        if newer is not known:
            self._known = newer
        return answer

    def read(self, entities: Any, timeout: float | None = None) -> dict[str, np.ndarray]:
        """The same as a dict of numpy arrays, by name of the feature."""
        return self(entities, timeout).to_numpy()

    def many(self, batches: Iterable[Any], timeout: float | None = None, in_flight: int = 32) -> list[Answer]:
        """Several reads at once, pipelined on one connection: for the time of one round trip, many are answered."""
        client, known = self._client, self._known
        checked_in_flight(in_flight)
        seconds = client._settings.seconds(timeout)
        payloads = [self._encoder.payload(entities, told(seconds), known.schema_id) for entities in batches]
        answers: list[Answer | None] = [None] * len(payloads)

        def accept(number: int, frame: Frame) -> None:
            answers[number] = self._answer(frame, known)

        client._carrier.exchange_many(kinds.ONLINE_READ, payloads, seconds, accept, in_flight)
        return [answer for answer in answers if answer is not None]
