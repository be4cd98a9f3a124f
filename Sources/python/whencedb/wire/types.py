"""Feature types: their bytes on the wire, their names in documents, and the Arrow types that they are."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

import pyarrow as pa

from .primitives import LONGEST_NAME, Payload, PayloadReader, violation

MOST_COLUMNS = 16_384
MOST_DIMENSIONS = 16_384
VALUE, VECTOR, LIST = 0, 1, 2

_NAMES = ("", "bool", "int32", "int64", "float32", "float64", "string", "bytes", "timestamp")
_ARROW = (
    pa.null(),
    pa.bool_(),
    pa.int32(),
    pa.int64(),
    pa.float32(),
    pa.float64(),
    pa.string(),
    pa.binary(),
    pa.timestamp("us", tz="UTC"),
)
_WIDTHS = (0, 0, 4, 8, 4, 8, 0, 0, 8)
_NUMPY = ("", "?", "<i4", "<i8", "<f4", "<f8", "", "", "<M8[us]")
_TYPE = struct.Struct("<BBHI")


@dataclass(frozen=True, slots=True)
class WireType:
    """A type: a scalar (1 to 8), its shape (one value, a vector, a list), and the dimension of a vector."""

    scalar: int
    shape: int = VALUE
    dimension: int = 0

    @property
    def name(self) -> str:
        """As definitions write it: `float64`, `vector<3>`, `list<string>`."""
        scalar = _NAMES[self.scalar]
        if self.shape == VECTOR:
            return f"vector<{self.dimension}>"
        return f"list<{scalar}>" if self.shape == LIST else scalar

    @property
    def width(self) -> int:
        """The bytes of a scalar; 0 for bool, string and bytes."""
        return _WIDTHS[self.scalar]

    @property
    def element(self) -> pa.DataType:
        return _ARROW[self.scalar]

    @property
    def numpy(self) -> str:
        """The numpy type of a scalar; empty for strings and bytes."""
        return _NUMPY[self.scalar]

    @property
    def is_variable(self) -> bool:
        """Whether a scalar is a string or bytes."""
        return self.scalar in (6, 7)

    @property
    def arrow(self) -> pa.DataType:
        return _arrow(self)

    @classmethod
    def named(cls, name: str) -> WireType:
        """The type that definitions and documents write so. Throws `ProtocolError`."""
        return _named(name)


@lru_cache(maxsize=4096)
def _arrow(wire: WireType) -> pa.DataType:
    if wire.shape == VECTOR:
        return pa.list_(pa.float32(), wire.dimension)
    return pa.list_(_ARROW[wire.scalar]) if wire.shape == LIST else _ARROW[wire.scalar]


@lru_cache(maxsize=4096)
def _named(name: str) -> WireType:
    if name in _NAMES[1:]:
        return WireType(_NAMES.index(name))
    if match := re.fullmatch(r"list<(\w+)>", name):
        if match[1] in _NAMES[1:]:
            return WireType(_NAMES.index(match[1]), LIST)
    elif match := re.fullmatch(r"vector<(\d{1,5})>", name):
        if 1 <= int(match[1]) <= MOST_DIMENSIONS:
            return WireType(4, VECTOR, int(match[1]))
    raise violation(f"the type '{name}' is unknown to this client")


def wire_type(arrow: pa.DataType) -> WireType | None:
    """The wire's type that is laid out exactly as this Arrow type; None where there is none."""
    if pa.types.is_fixed_size_list(arrow):
        return WireType(4, VECTOR, arrow.list_size) if arrow.value_type == pa.float32() else None
    shape = VALUE
    if pa.types.is_list(arrow):
        shape, arrow = LIST, arrow.value_type
    for scalar in range(1, 9):
        if arrow == _ARROW[scalar]:
            return WireType(scalar, shape)
    return None


class WireSchema:
    """Named columns with their types."""

    def __init__(self, columns: Iterable[tuple[str, WireType]]) -> None:
        self.columns = tuple(columns)

    def __len__(self) -> int:
        return len(self.columns)

    def __iter__(self) -> Iterator[tuple[str, WireType]]:
        return iter(self.columns)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WireSchema) and self.columns == other.columns

    def __hash__(self) -> int:
        return hash(self.columns)

    def __repr__(self) -> str:
        return f"WireSchema({', '.join(f'{name}: {kind.name}' for name, kind in self.columns)})"

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.columns]

    @cached_property
    def arrow(self) -> pa.Schema:
        return pa.schema([(name, kind.arrow) for name, kind in self.columns])

    @cached_property
    def lengths(self) -> struct.Struct:
        """What `columns` begins with: rows and columns, then a null count and lengths for each column."""
        count = 2
        for _, kind in self.columns:
            count += 3
            if kind.shape == LIST:
                count += 1
            if kind.is_variable:
                count += 1
        return struct.Struct(f"<{count}I")

    def write(self, payload: Payload) -> Payload:
        payload.u32(len(self.columns))
        for name, kind in self.columns:
            payload.string(name).raw(_TYPE.pack(kind.scalar, kind.shape, 0, kind.dimension))
        return payload

    @classmethod
    def read(cls, reader: PayloadReader) -> WireSchema:
        columns = reader.list(13, MOST_COLUMNS, lambda: _read_column(reader))
        if len({name for name, _ in columns}) != len(columns):
            raise violation("a schema has two columns of one name")
        return cls(columns)


def _read_column(reader: PayloadReader) -> tuple[str, WireType]:
    name = reader.string(LONGEST_NAME)
    scalar, shape, zero, dimension = _TYPE.unpack(reader.take(8))
    if not name:
        raise violation("a column without a name")
    if not 1 <= scalar <= 8 or shape > LIST or zero:
        raise violation(f"a column of a type that is unknown ({scalar}, {shape})")
    if shape == VECTOR:
        if scalar != 4 or not 1 <= dimension <= MOST_DIMENSIONS:
            raise violation(f"a vector has 1 to {MOST_DIMENSIONS} float32, and this one has {dimension}")
    elif dimension:
        raise violation("a type that is no vector has a dimension")
    return name, WireType(scalar, shape, dimension)


def schema_id(schema_bytes: bytes) -> int:
    """The 64-bit FNV-1a hash of a schema's bytes."""
    value = 0xCBF29CE484222325
    for byte in schema_bytes:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value
