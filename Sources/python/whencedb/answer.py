"""The answer to an online read: columns that are made of the received bytes when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import pyarrow as pa

from .errors import DefinitionError, InputError
from .results import Result, no_column
from .wire.columns import read_columns, read_lengths
from .wire.messages import read_answer_head
from .wire.primitives import violation
from .wire.types import VALUE, VECTOR, WireSchema

# What a numpy array has where there is no value.
_MISSING: dict[str, Any] = {"?": False, "<i4": 0, "<i8": 0, "<f4": np.nan, "<f8": np.nan, "<M8[us]": np.datetime64("NaT")}

# bool, int32, int64, float32, float64
_NUMBERS = range(1, 6)

if TYPE_CHECKING:
    import pandas
    import polars


@dataclass(frozen=True, slots=True)
class _Span:
    """Where a column of fixed width lies, counted from the start of `columns`."""

    begin: int
    numpy: str
    #: Where its validity lies; -1 where every value is there.
    validity: int
    nulls: int


class KnownAnswers:
    """What is kept from answer to answer: the schema, and where columns lie in answers that look the same. It never changes.

    Most answers of one service differ in nothing but their values. Where the lengths at their head are those of the last one, and every
    column has a fixed width, the layout that was checked then holds again.
    """

    __slots__ = ("_head", "_size", "_spans", "schema", "schema_id")

    def __init__(self, schema: WireSchema | None = None, schema_id: int = 0) -> None:
        self.schema = schema
        self.schema_id = schema_id
        self._head = b""
        self._size = 0
        self._spans: dict[str, _Span] | None = None

    def read(self, payload: Any) -> tuple[Answer, KnownAnswers]:
        """The answer, and what is known after it. Throws `ProtocolError` where the payload is no answer."""
        time, identity, schema, offset = read_answer_head(payload, self.schema, self.schema_id)
        start = offset + (-offset % 8)
        head = bytes(payload[start : start + schema.lengths.size])
        known = self
        if schema is not self.schema or head != self._head or len(payload) - start != self._size:
            known = KnownAnswers(schema, identity)
            known._measure(payload, offset, start, head)
        rows = int.from_bytes(head[:4], "little")
        return Answer(payload, time, rows, schema, offset, start, known._spans), known

    def _measure(self, payload: Any, offset: int, start: int, head: bytes) -> None:
        """Finds where the columns of fixed width lie; others are left to Arrow."""
        schema = self.schema
        assert schema is not None
        lengths, position = read_lengths(payload, offset, schema)
        if not len(schema) or any(kind.shape != VALUE or not kind.width for _, kind in schema):
            data = pa.py_buffer(payload)
            end = read_columns(data, offset, schema)[2]
            if end != data.size:
                raise violation(f"an answer has {data.size - end} bytes too many")
            return
        rows, at = lengths[0], position - start
        spans = {}
        for index, (name, kind) in enumerate(schema):
            nulls, validity_bytes, value_bytes = lengths[2 + 3 * index : 5 + 3 * index]
            if nulls > rows or validity_bytes != ((rows + 7) // 8 if nulls else 0) or value_bytes != rows * kind.width:
                raise violation(f"the lengths of column '{name}' do not fit its type")
            validity = -1
            if nulls:
                validity = at
                at += validity_bytes + (-validity_bytes % 8)
            spans[name] = _Span(at, kind.numpy, validity, nulls)
            at += value_bytes + (-value_bytes % 8)
        if start + at != len(payload):
            raise violation(f"the columns of an answer end at {start + at}, and its payload at {len(payload)}")
        # What validities say is looked at when they are used.
        self._spans, self._head, self._size = spans, head, at


class Answer:
    """Features of the entities that were asked for, in their order.

    `answer["eta.speed"]` is a numpy array: a view of what was received where every value is there; else floats have NaN, times NaT, and
    whole numbers and bools 0 where nothing was found (`valid` tells). Strings, bytes and lists are arrays of objects, with None.

    Attributes:
        time: when the server read, in microseconds since the Unix epoch.
    """

    __slots__ = ("_arrays", "_entities", "_offset", "_payload", "_rows", "_schema", "_spans", "_start", "time")

    def __init__(
        self,
        payload: Any,
        time: int,
        rows: int,
        schema: WireSchema,
        offset: int,
        start: int,
        spans: dict[str, _Span] | None,
    ) -> None:
        self.time = time
        self._payload = payload
        self._rows = rows
        self._schema = schema
        self._offset = offset
        self._start = start
        self._spans = spans
        self._arrays: list[pa.Array] | None = None
        #: The table of the join keys that were asked for, put before the features in tables.
        self._entities: pa.Table | None = None

    @staticmethod
    def joined(answers: list[Answer]) -> Answer:
        """Answers to pieces of one list of entities, as one: read when the first was."""
        first = answers[0]
        if len(answers) == 1:
            return first
        if any(answer._schema.columns != first._schema.columns for answer in answers):
            raise DefinitionError("the definitions changed while so many entities were read", code=2002, hint="ask again", retryable=True)
        whole = Answer(b"", first.time, sum(map(len, answers)), first._schema, 0, 0, None)
        whole._arrays = [pa.concat_arrays(arrays) for arrays in zip(*(answer._arrow() for answer in answers), strict=True)]
        return whole

    # Numpy, for the hot path

    def __getitem__(self, name: str) -> np.ndarray:
        if self._spans is None:
            return self._from_arrow(name)
        span = self._spans.get(name) or self._unknown(name)
        values = np.frombuffer(self._payload, span.numpy, self._rows, self._start + span.begin)
        if span.validity >= 0:
            values = values.copy()
            np.putmask(values, self._bits(span) == 0, _MISSING[span.numpy])
        return values

    def valid(self, name: str) -> np.ndarray:
        """Whether there is a value, for each entity."""
        if self._spans is None:
            return np.asarray(self._arrow()[self._number(name)].is_valid())
        span = self._spans.get(name) or self._unknown(name)
        return np.ones(self._rows, bool) if span.validity < 0 else self._bits(span).view(bool)

    def to_numpy(self) -> dict[str, np.ndarray]:
        """All features, by name."""
        if self._spans is None:
            return {name: self._from_arrow(name) for name in self._schema.names}
        payload, rows, start = self._payload, self._rows, self._start
        return {
            name: np.frombuffer(payload, span.numpy, rows, start + span.begin) if span.validity < 0 else self[name]
            for name, span in self._spans.items()
        }

    def matrix(self, dtype: Any = np.float64) -> np.ndarray:
        """All features as the columns of one matrix, NaN where nothing was found: what most models take. Numbers and bools only."""
        for name, kind in self._schema:
            if kind.shape != VALUE or kind.scalar not in _NUMBERS:
                raise InputError(
                    f"feature '{name}' is of type {kind.name}, and no number", code=1001, place="matrix", hint="ask for numbers only"
                )
        matrix = np.empty((self._rows, len(self._schema)), dtype, order="F")
        for number, name in enumerate(self._schema.names):
            matrix[:, number] = self[name]
            if np.dtype(dtype).kind == "f" and not (valid := self.valid(name)).all():
                matrix[~valid, number] = np.nan
        return matrix

    def _number(self, name: str) -> int:
        names = self._schema.names
        return names.index(name) if name in names else self._unknown(name)

    def _unknown(self, name: str) -> NoReturn:
        raise no_column(name, self._schema.names, "the answer")

    def _bits(self, span: _Span) -> np.ndarray:
        """1 where there is a value, 0 where there is none."""
        rows = self._rows
        packed = np.frombuffer(self._payload, np.uint8, (rows + 7) // 8, self._start + span.validity)
        bits = np.unpackbits(packed, count=rows, bitorder="little")
        if np.count_nonzero(bits) != rows - span.nulls:
            raise violation("a column has another number of nulls than it says")
        return bits

    def _from_arrow(self, name: str) -> np.ndarray:
        number = self._number(name)
        kind, array = self._schema.columns[number][1], self._arrow()[number]
        if kind.shape == VECTOR:
            vectors = np.asarray(array.values).reshape(len(array), kind.dimension)
            if array.null_count:
                vectors = vectors.copy()
                vectors[np.asarray(array.is_null())] = np.nan
            return vectors
        if kind.shape == VALUE and kind.numpy:
            if array.null_count:
                array = array.fill_null(_missing_arrow(kind.numpy, array.type))
            if kind.scalar == 8:
                return np.asarray(array.cast(pa.int64())).view("M8[us]")
            return np.asarray(array.to_numpy(zero_copy_only=False))
        return np.asarray(array.to_numpy(zero_copy_only=False))

    # Tables

    def _arrow(self) -> list[pa.Array]:
        if self._arrays is None:
            self._arrays, _, _ = read_columns(pa.py_buffer(self._payload), self._offset, self._schema)
        return self._arrays

    def to_arrow(self) -> pa.Table:
        """The join keys and the features. The features lie in the bytes that were received."""
        table = pa.Table.from_arrays(self._arrow(), schema=self._schema.arrow)
        if self._entities is None:
            return table
        arrays = [*self._entities.columns, *table.columns]
        return pa.Table.from_arrays(arrays, names=[*self._entities.column_names, *table.column_names])

    def to_pandas(self, **options: Any) -> pandas.DataFrame:
        return self.to_arrow().to_pandas(**options)

    def to_polars(self) -> polars.DataFrame:
        import polars

        return polars.from_arrow(self.to_arrow())  # type: ignore[return-value]

    def to_dicts(self) -> list[dict[str, Any]]:
        """A dict for each entity."""
        return self.to_arrow().to_pylist()

    @property
    def features(self) -> list[str]:
        return self._schema.names

    def __iter__(self) -> Iterator[str]:
        return iter(self._schema.names)

    def __len__(self) -> int:
        return self._rows

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def _result(self) -> Result:
        return Result(self.to_arrow(), None, f"online read at {self.time}")

    def __repr__(self) -> str:
        return repr(self._result())

    def _repr_html_(self) -> str:
        return self._result()._repr_html_()


def _missing_arrow(kind: str, arrow: pa.DataType) -> Any:
    if kind[1] == "f":
        return pa.scalar(float("nan"), arrow)
    if kind == "?":
        return pa.scalar(False)
    return pa.scalar(np.iinfo(np.int64).min if kind[1] == "M" else 0, pa.int64()).cast(arrow)
