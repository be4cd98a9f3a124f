"""The golden vectors of `Formats/`, and how their values are written."""

import json
import pathlib
import struct

import pyarrow as pa
from whencedb.wire.types import LIST, VALUE, VECTOR, WireSchema, WireType

ROOT = pathlib.Path(__file__).resolve().parents[2]
WIRE = json.loads((ROOT / "Formats/vectors/wire-protocol.json").read_text())


def schema_of(columns):
    return WireSchema((name, WireType.named(kind)) for name, kind in columns)


def arrays_of(columns, schema):
    return [array_of(values, kind) for values, (_, kind) in zip(columns["columns"], schema, strict=True)]


def array_of(values, kind):
    """Arrow arrays keep the bits of numbers that are no numbers, which Python's floats need not."""
    if kind.shape == VALUE:
        return _scalars(values, kind.scalar)
    valid = pa.array([value is not None for value in values])
    flat = [element for value in values if value is not None for element in value]
    if kind.shape == VECTOR:
        flat = [element for value in values for element in (value or ["00000000"] * kind.dimension)]
        found = pa.FixedSizeListArray.from_arrays(_scalars(flat, kind.scalar), kind.dimension)
        validity = None if all(valid.to_pylist()) else pa.array(valid.to_pylist()).buffers()[1]
        return pa.Array.from_buffers(kind.arrow, len(values), [validity], children=[found.values])
    offsets, end = [], 0
    for value in values:
        offsets.append(end if value is not None else None)
        end += len(value or [])
    return pa.ListArray.from_arrays(pa.array([*offsets, end], pa.int32()), _scalars(flat, kind.scalar))


def _scalars(values, scalar):
    def convert(value):
        if value is None or scalar in (1, 2, 6):
            return value
        if scalar in (3, 8):
            return int(value)
        if scalar == 7:
            return bytes.fromhex(value)
        return int(value, 16)

    plain = [convert(value) for value in values]
    if scalar in (4, 5):
        bits = pa.array(plain, pa.uint32() if scalar == 4 else pa.uint64())
        return bits.view(WireType(scalar).arrow)
    return pa.array(plain, WireType(scalar).arrow)


def values_of(array, kind):
    """The values of an array as vectors write them."""
    values = array.to_pylist() if kind.scalar != 8 else _times(array, kind)

    def text(value):
        if value is None:
            return None
        if kind.scalar == 4:
            return None if value is None else struct.pack(">f", value).hex()
        if kind.scalar == 5:
            return struct.pack(">d", value).hex()
        if kind.scalar in (3, 8):
            return str(value)
        return value.hex() if kind.scalar == 7 else value

    if kind.scalar in (4, 5):
        # The bits: Python's floats would make quiet numbers of those that signal.
        return _float_bits(array, kind)
    if kind.shape == VALUE:
        return [text(value) for value in values]
    return [None if value is None else [text(element) for element in value] for value in values]


def _times(array, kind):
    if kind.shape == LIST:
        return pa.ListArray.from_arrays(array.offsets, array.values.view(pa.int64()), mask=array.is_null()).to_pylist()
    return array.view(pa.int64()).to_pylist()


def _float_bits(array, kind):
    width = 8 if kind.scalar == 4 else 16
    integers = pa.uint32() if kind.scalar == 4 else pa.uint64()

    def hexed(scalars):
        return [None if value is None else f"{value:0{width}x}" for value in scalars.view(integers).to_pylist()]

    if kind.shape == VALUE:
        return hexed(array)
    flat = hexed(array.values)
    size = kind.dimension
    starts = [i * size for i in range(len(array) + 1)] if kind.shape == VECTOR else array.offsets.to_pylist()
    valid = array.is_valid().to_pylist()
    return [flat[starts[i] : starts[i + 1]] if valid[i] else None for i in range(len(array))]
