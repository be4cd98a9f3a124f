"""Columns in Arrow's layout: from arrays to buffers as they are sent, and from a payload to arrays that lie in it."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from ..errors import InputError
from .primitives import Payload, violation
from .types import LIST, VALUE, VECTOR, WireSchema, WireType

MOST_ROWS = 4_194_304
_OFFSET = struct.Struct("<i")


# Sending


def write_columns(payload: Payload, arrays: Sequence[pa.Array], schema: WireSchema) -> Payload:
    """Appends `columns`. Each array has the Arrow type of its column; large buffers are not copied."""
    rows = len(arrays[0]) if arrays else 0
    lengths = [rows, len(arrays)]
    buffers: list[tuple[Any, int]] = []
    for array, (name, kind) in zip(arrays, schema, strict=True):
        try:
            _append_column(array, kind, lengths, buffers)
        except _HasNullElements:
            raise InputError("an element of a list or vector has no value", code=1001, place=f"column '{name}'") from None
    payload.align().raw(schema.lengths.pack(*lengths)).align()
    for data, size in buffers:
        if size:
            payload.buffer(data, size).align()
    return payload


class _HasNullElements(Exception):
    pass


def _append_column(array: pa.Array, kind: WireType, lengths: list[int], buffers: list[tuple[Any, int]]) -> None:
    rows, offset, nulls = len(array), array.offset, array.null_count
    own = array.buffers()
    lengths.append(nulls)
    if nulls:
        validity = _bits(own[0], offset, rows)
        lengths.append(len(validity))
        buffers.append((validity, len(validity)))
    else:
        lengths.append(0)
    if kind.shape == VECTOR:
        _append_vector(array, kind, lengths, buffers)
    elif kind.shape == LIST:
        _append_list(array, kind, lengths, buffers)
    elif kind.is_variable:
        _append_variable(array, lengths, buffers)
    else:
        _append_fixed(own[1], offset, rows, kind, lengths, buffers)


def _append_fixed(
    values: pa.Buffer | None, offset: int, rows: int, kind: WireType, lengths: list[int], buffers: list[tuple[Any, int]]
) -> None:
    width = kind.width
    size = rows * width if width else (rows + 7) // 8
    lengths.append(size)
    if size == 0:
        return
    if values is None:
        buffers.append((bytes(size), size))
    elif width:
        buffers.append((values.slice(offset * width, size), size))
    else:
        buffers.append((_bits(values, offset, rows), size))


def _append_variable(array: pa.Array, lengths: list[int], buffers: list[tuple[Any, int]]) -> None:
    offsets, first, last = _offsets(array)
    if array.null_count and _has_hidden(array, offsets):
        # Arrow allows values under a null, the wire does not.
        array = array.fill_null(b"" if pa.types.is_binary(array.type) else "")
        offsets, first, last = _offsets(array)
    lengths += (4 * len(offsets), last - first)
    buffers.append((_rebased(offsets, first), 4 * len(offsets)))
    if last > first:
        buffers.append((array.buffers()[2].slice(first, last - first), last - first))


def _append_list(array: pa.Array, kind: WireType, lengths: list[int], buffers: list[tuple[Any, int]]) -> None:
    offsets, first, last = _offsets(array)
    if array.null_count and _has_hidden(array, offsets):
        array = pa.array(array.to_pylist(), array.type)
        offsets, first, last = _offsets(array)
    elements = array.values.slice(first, last - first)
    if elements.null_count:
        raise _HasNullElements
    lengths.append(4 * len(offsets))
    buffers.append((_rebased(offsets, first), 4 * len(offsets)))
    if kind.is_variable:
        _append_variable(elements, lengths, buffers)
    else:
        _append_fixed(elements.buffers()[1], elements.offset, len(elements), WireType(kind.scalar), lengths, buffers)


def _append_vector(array: pa.Array, kind: WireType, lengths: list[int], buffers: list[tuple[Any, int]]) -> None:
    if array.flatten().null_count:
        raise _HasNullElements
    child = array.values
    start = child.offset + array.offset * kind.dimension
    _append_fixed(child.buffers()[1], start, len(array) * kind.dimension, WireType(kind.scalar), lengths, buffers)


def _bits(data: pa.Buffer, offset: int, count: int) -> bytes:
    """`count` bits from bit `offset` on, with zeros behind the last."""
    first, skip = divmod(offset, 8)
    size = (count + 7) // 8
    if skip == 0:
        bits = data[first : first + size].to_pybytes()
    else:
        window = np.frombuffer(data, np.uint8)[first : first + (skip + count + 7) // 8]
        bits = np.packbits(np.unpackbits(window, bitorder="little")[skip : skip + count], bitorder="little").tobytes()
    rest = count % 8
    if rest and bits[-1] >> rest:
        bits = bits[:-1] + bytes((bits[-1] & ((1 << rest) - 1),))
    return bits


def _offsets(array: pa.Array) -> tuple[np.ndarray, int, int]:
    """The offsets of the rows, the first and the last of them."""
    data = array.buffers()[1 if array.buffers()[1] is not None else 0] if len(array) else None
    if data is None:
        return np.zeros(1, np.int32), 0, 0
    offsets = np.frombuffer(data, np.int32, len(array) + 1, array.offset * 4)
    return offsets, int(offsets[0]), int(offsets[-1])


def _rebased(offsets: np.ndarray, first: int) -> np.ndarray:
    return offsets - np.int32(first) if first else offsets


def _has_hidden(array: pa.Array, offsets: np.ndarray) -> bool:
    valid = np.asarray(array.is_valid())
    return bool(np.any(np.diff(offsets)[~valid]))


# Receiving


def read_columns(data: pa.Buffer, offset: int, schema: WireSchema) -> tuple[list[pa.Array], int, int]:
    """The arrays, the number of rows, and the offset behind them. The arrays lie in `data`. Throws `ProtocolError`."""
    lengths, start = read_lengths(data, offset, schema)
    rows = lengths[0]
    arrays = []
    position = 2
    taker = _Taker(data, start)
    for _, kind in schema:
        nulls, validity_bytes = lengths[position], lengths[position + 1]
        position += 2
        if nulls > rows or validity_bytes != ((rows + 7) // 8 if nulls else 0):
            raise violation(f"a column of {rows} rows, {nulls} nulls and {validity_bytes} bytes of validity")
        validity = taker.take(validity_bytes) if nulls else None
        if kind.shape == VALUE and not kind.is_variable:
            size = lengths[position]
            position += 1
            _expect(size, rows, kind)
            array = pa.Array.from_buffers(kind.arrow, rows, [validity, taker.take(size)], nulls)
            if nulls:
                _validate(array)
        elif kind.shape == VECTOR:
            size = lengths[position]
            position += 1
            _expect(size, rows * kind.dimension, kind)
            child = pa.Array.from_buffers(kind.element, rows * kind.dimension, [None, taker.take(size)], 0)
            array = pa.Array.from_buffers(kind.arrow, rows, [validity], nulls, children=[child])
            if nulls:
                _validate(array)
        else:
            count = 2 + (kind.shape == LIST and kind.is_variable)
            array = _read_offset_column(kind, rows, nulls, validity, lengths[position : position + count], taker)
            position += count
        arrays.append(array)
    return arrays, rows, taker.offset


def read_lengths(data: Any, offset: int, schema: WireSchema) -> tuple[tuple[int, ...], int]:
    """What `columns` begins with, and the offset of the first buffer."""
    start = offset + (-offset % 8)
    head = schema.lengths
    if start + head.size > len(memoryview(data)):
        raise violation("columns end before their lengths do")
    lengths = head.unpack_from(data, start)
    if lengths[0] > MOST_ROWS:
        raise violation(f"{lengths[0]} rows, where at most {MOST_ROWS} are allowed")
    if lengths[1] != len(schema):
        raise violation(f"{lengths[1]} columns, and the schema has {len(schema)}")
    start += head.size
    return lengths, start + (-start % 8)


class _Taker:
    """Takes padded buffers, one behind the other."""

    __slots__ = ("data", "offset")

    def __init__(self, data: pa.Buffer, offset: int) -> None:
        self.data = data
        self.offset = offset

    def take(self, size: int) -> pa.Buffer:
        start = self.offset
        end = start + size + (-size % 8)
        if size and end > self.data.size:
            raise violation(f"a buffer of {size} bytes goes beyond the end of its payload")
        if size:
            self.offset = end
        return self.data.slice(start if size else 0, size)


def _expect(size: int, count: int, kind: WireType) -> None:
    wanted = count * kind.width if kind.width else (count + 7) // 8
    if size != wanted:
        raise violation(f"{count} values of type {kind.name} take {wanted} bytes, and {size} were sent")


def _read_offset_column(kind: WireType, rows: int, nulls: int, validity: pa.Buffer | None, sizes: Sequence[int], taker: _Taker) -> pa.Array:
    offsets = taker.take(sizes[0])
    last = _last_offset(offsets, rows)
    if kind.shape != LIST:
        if last != sizes[1]:
            raise violation(f"offsets end at {last}, and the values at {sizes[1]}")
        array = pa.Array.from_buffers(kind.arrow, rows, [validity, offsets, taker.take(sizes[1])], nulls)
    elif kind.is_variable:
        element_offsets = taker.take(sizes[1])
        if _last_offset(element_offsets, last) != sizes[2]:
            raise violation("the offsets of elements do not end where the values do")
        values = taker.take(sizes[2])
        child = pa.Array.from_buffers(kind.element, last, [None, element_offsets, values], 0)
        array = pa.Array.from_buffers(kind.arrow, rows, [validity, offsets], nulls, children=[child])
    else:
        _expect(sizes[1], last, WireType(kind.scalar))
        child = pa.Array.from_buffers(kind.element, last, [None, taker.take(sizes[1])], 0)
        array = pa.Array.from_buffers(kind.arrow, rows, [validity, offsets], nulls, children=[child])
    _validate(array)
    return array


def _last_offset(offsets: pa.Buffer, count: int) -> int:
    if offsets.size != 4 * (count + 1):
        raise violation(f"{count} values have {4 * (count + 1)} bytes of offsets, and {offsets.size} were sent")
    first, last = _OFFSET.unpack_from(offsets, 0)[0], _OFFSET.unpack_from(offsets, 4 * count)[0]
    if first != 0 or last < 0:
        raise violation(f"offsets go from {first} to {last}; they start at 0")
    return int(last)


def _validate(array: pa.Array) -> None:
    """What is left to be checked goes over every value: in Arrow, not here."""
    try:
        array.validate(full=True)
    except (pa.ArrowException, ValueError) as error:
        raise violation(f"a column is not what its type says: {error}") from None
