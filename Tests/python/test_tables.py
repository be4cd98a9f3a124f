"""Columns as they are declared, and the layout of the wire: whatever goes in comes out, however the arrays were cut."""

import os
import random

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from whencedb import tables
from whencedb.errors import InputError
from whencedb.wire.columns import read_columns, write_columns
from whencedb.wire.primitives import Payload
from whencedb.wire.types import WireSchema, WireType

SEED = int(os.environ.get("WHENCE_SEED", random.SystemRandom().randrange(1 << 32)))
TYPES = [
    "bool", "int32", "int64", "float32", "float64", "string", "bytes", "timestamp", "vector<1>", "vector<3>", "list<bool>", "list<int32>",
    "list<int64>", "list<float32>", "list<float64>", "list<string>", "list<bytes>", "list<timestamp>",
]  # fmt: skip


def value(generator, scalar):
    match scalar:
        case 1:
            return generator.random() < 0.5
        case 2:
            return generator.randrange(-(2**31), 2**31)
        case 3:
            return generator.randrange(-(2**63), 2**63)
        case 4:
            return float(np.float32(generator.gauss(0, 1e6)))
        case 5:
            return generator.gauss(0, 1e300)
        case 6:
            return "".join(generator.choice("aé𝄞\0 ") for _ in range(generator.randrange(6)))
        case 7:
            return generator.randbytes(generator.randrange(6))
    return generator.randrange(-(2**50), 2**50)


def column(generator, kind, rows, nulls):
    def cell():
        if generator.random() < nulls:
            return None
        if kind.shape == 1:
            return [value(generator, kind.scalar) for _ in range(kind.dimension)]
        if kind.shape == 2:
            return [value(generator, kind.scalar) for _ in range(generator.randrange(4))]
        return value(generator, kind.scalar)

    return pa.array([cell() for _ in range(rows)], kind.arrow)


@pytest.mark.parametrize("name", TYPES)
def test_columns_go_out_and_come_back(name):
    """Arrays of every type, cut at every odd place, with and without nulls, alone and behind others."""
    generator = random.Random(f"{SEED} {name}")
    kind = WireType.named(name)
    for turn in range(60):
        rows = generator.choice([0, 1, 7, 8, 9, 64, 100])
        whole = column(generator, kind, rows + 20, generator.choice([0, 0.3, 1]))
        cut = whole.slice(generator.randrange(20), rows)
        schema = WireSchema([("before", WireType.named("bool")), ("x", kind), ("after", WireType.named("string"))])
        arrays = [pa.array([True] * rows, pa.bool_()), cut, pa.array(["z"] * rows, pa.string())]
        payload = write_columns(Payload().raw(bytes(generator.randrange(9))), arrays, schema)
        start = 0
        data = pa.py_buffer(b"".join(bytes(memoryview(part)) for part in payload.finished()))
        assert data.size == payload.size
        # What is before the columns is no part of them; they begin at the next offset divisible by 8.
        start = next(at for at in (0, 8) if read_head(data, at) == (rows, 3))
        found, count, end = read_columns(data, start, schema)
        assert (count, end) == (rows, data.size), f"seed {SEED}, turn {turn}"
        for array, given in zip(found, arrays, strict=True):
            array.validate(full=True)
            assert array.equals(given), f"seed {SEED}, turn {turn}"


def read_head(data, at):
    return tuple(np.frombuffer(data, np.uint32, 2, at)) if data.size >= at + 8 else None


def test_values_under_a_null_are_not_sent():
    hidden = pa.Array.from_buffers(
        pa.string(), 3, [pa.py_buffer(b"\5"), pa.py_buffer(np.array([0, 1, 7, 8], np.int32)), pa.py_buffer(b"asecretb")]
    )
    assert hidden.to_pylist() == ["a", None, "b"]
    schema = WireSchema([("x", WireType.named("string"))])
    data = b"".join(bytes(memoryview(part)) for part in write_columns(Payload(), [hidden], schema).finished())
    assert b"secret" not in data
    assert read_columns(pa.py_buffer(data), 0, schema)[0][0].to_pylist() == ["a", None, "b"]


@pytest.mark.parametrize("name", ["list<int64>", "vector<2>"])
def test_elements_without_a_value_are_refused(name):
    kind = WireType.named(name)
    array = pa.array([[1, None]], kind.arrow)
    with pytest.raises(InputError, match="column 'x'"):
        write_columns(Payload(), [array], WireSchema([("x", kind)]))


FITS = [
    ("int32", pa.array([1, 2], pa.int8())),
    ("int64", pa.array([1, 2], pa.uint64())),
    ("int64", pa.array([1.0, None])),
    ("float64", pa.array([1, 2])),
    ("float32", pa.array([0.1])),
    ("float64", pa.array([1.5], pa.float16()) if hasattr(pa, "float16") else pa.array([1.5])),
    ("string", pa.array(["a"], pa.large_string())),
    ("string", pa.array(["a", "b", "a"]).dictionary_encode()),
    ("string", pl.Series(["a"]).to_arrow()),
    ("string", pa.chunked_array([pl.Series(["a", "b", None], dtype=pl.Categorical).to_arrow()])),
    ("string", pa.table(pl.DataFrame({"x": pl.Series(["a", "b", "a", None], dtype=pl.Categorical)})).column(0)),
    ("string", pa.table(pl.DataFrame({"x": pl.Series(["a", "b"], dtype=pl.Enum(["b", "a"]))})).column(0).chunk(0)),
    ("string", pa.chunked_array([], pa.dictionary(pa.int8(), pa.string()))),
    ("bytes", pa.array([b"a", None, b"a"], pa.binary()).dictionary_encode()),
    ("float32", pa.array([3.4e38, float("inf"), float("-inf"), float("nan"), None])),
    ("vector<2>", pa.chunked_array([pa.array([[1.0, float("inf")], None], pa.list_(pa.float64()))])),
    ("bytes", pa.array([b"ab"], pa.binary(2))),
    ("bytes", pa.array([b"ab"], pa.large_binary())),
    ("bool", pa.nulls(3)),
    ("list<int64>", pa.array([[1]], pa.large_list(pa.int32()))),
    ("list<string>", pa.array([["a"]], pa.list_(pa.large_string()))),
    ("vector<2>", pa.array([[1.0, 2.0]], pa.list_(pa.float64()))),
    ("vector<2>", pa.array([[1.0, 2.0]], pa.list_(pa.float64(), 2))),
]


@pytest.mark.parametrize(("name", "array"), FITS, ids=lambda item: item if isinstance(item, str) else str(item.type))
def test_what_fits_becomes_what_is_declared(name, array):
    found = tables.conform(array, WireType.named(name), "x")
    assert found.type == WireType.named(name).arrow
    assert len(found) == len(array) and found.null_count == array.null_count
    if name in ("string", "bytes"):
        assert found.to_pylist() == array.to_pylist()


REFUSED = [
    ("int32", pa.array([2**31])),
    ("int64", pa.array([1.5])),
    ("int64", pa.array([2**63], pa.uint64())),
    ("int64", pa.array(["7"])),
    ("string", pa.array([7])),
    ("string", pa.array([b"a"])),
    ("bool", pa.array([1])),
    ("int64", pa.array([True])),
    ("float64", pa.array([2**53 + 1])),
    ("vector<2>", pa.array([[1.0, 2.0, 3.0]])),
    ("vector<2>", pa.array([[1.0, 2.0]], pa.list_(pa.string())) if False else pa.array([["a", "b"]])),
    ("list<int64>", pa.array([1])),
]


@pytest.mark.parametrize(("name", "array"), REFUSED, ids=lambda item: item if isinstance(item, str) else str(item.type))
def test_what_does_not_fit_is_refused_and_named(name, array):
    with pytest.raises(InputError) as raised:
        tables.conform(array, WireType.named(name), "speed")
    assert raised.value.place == "column 'speed'" and raised.value.code == 1001


@pytest.mark.parametrize("name", ["float32", "vector<2>", "list<float32>"])
@pytest.mark.parametrize("large", [1e300, -3.5e38])
def test_what_float32_cannot_hold_is_refused_and_no_infinity(name, large):
    kind = WireType.named(name)
    given = [1.0, None, float("inf"), large] if name == "float32" else [[1.0, 2.0], None, [0.0, float("inf")], [0.5, large]]
    wide = pa.float64() if name == "float32" else pa.list_(pa.float64())
    for array in (pa.array(given, wide), pa.chunked_array([pa.array(given[:2], wide), pa.array(given[2:], wide)])):
        with pytest.raises(InputError, match="row 4 is too large for") as raised:
            tables.conform(array, kind, "speed")
        assert raised.value.place == "column 'speed'" and raised.value.code == 1001
    assert tables.conform(pa.array(given, wide).slice(1, 2), kind, "speed").null_count == 1


def test_tables_of_all_kinds_are_the_same():
    expected = pa.table({"a": [1, 2], "b": ["x", None]})
    frames = [
        expected,
        {"a": [1, 2], "b": ["x", None]},
        [{"a": 1, "b": "x"}, {"a": 2}],
        pd.DataFrame({"a": [1, 2], "b": ["x", None]}),
        pl.DataFrame({"a": [1, 2], "b": ["x", None]}),
        expected.to_batches()[0],
    ]
    for given in frames:
        table = tables.to_table(given, "here")
        assert table.column_names == ["a", "b"], type(given)
        assert table.to_pydict() == expected.to_pydict(), type(given)


@pytest.mark.parametrize("given", [7, "text", None, {"a": [1], "b": [1, 2]}, [1, 2]], ids=repr)
def test_what_is_no_table_is_refused(given):
    with pytest.raises(InputError):
        tables.to_table(given, "here", ["a", "b"])


def test_a_matrix_is_a_column_of_vectors():
    found = tables.conform(tables.column(np.array([[1.0, 2.0], [3.0, 4.0]]), "x"), WireType.named("vector<2>"), "x")
    assert found.to_pylist() == [[1.0, 2.0], [3.0, 4.0]]


def test_pieces_cover_a_table_and_keep_to_their_size():
    generator = random.Random(SEED)
    schema = WireSchema([("s", WireType.named("string"))])
    values = ["x" * (generator.randrange(20) if i % 1000 else 30_000) for i in range(20_000)]
    table = pa.table({"s": values})
    pieces = list(tables.payloads(table, schema, 16_384, 40_000))
    assert sum(rows for _, rows in pieces) == 20_000
    assert max(payload.size for payload, _ in pieces) <= 40_000
    found = []
    for payload, _ in pieces:
        data = pa.py_buffer(b"".join(bytes(memoryview(part)) for part in payload.finished()))
        found += read_columns(data, 0, schema)[0][0].to_pylist()
    assert found == values
    with pytest.raises(InputError, match="a row takes"):
        list(tables.payloads(table, schema, 16_384, 20_000))
