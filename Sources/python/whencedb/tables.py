"""Tables in: whatever a caller has becomes Arrow columns of the types that a view or a service declares."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .errors import InputError
from .times import array_of, decoded, to_times
from .wire.columns import MOST_ROWS, write_columns
from .wire.primitives import Payload
from .wire.types import LIST, VECTOR, WireSchema, WireType, wire_type

#: Anything that a table can be made of.
TableLike = Any


def to_table(data: TableLike, place: str, columns: Sequence[str] = ()) -> pa.Table:
    """A pyarrow table of: a table or batch of pyarrow, a frame of pandas or polars, a dict of columns, a list of dicts, a numpy array with
    named fields, anything with `__arrow_c_stream__`; and, where `columns` names just one, a bare list or array of its values."""
    if isinstance(data, pa.Table):
        return data
    if isinstance(data, pa.RecordBatch):
        return pa.Table.from_batches([data])
    if isinstance(data, Mapping):
        return _from_mapping(data, place)
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(data, pandas.DataFrame):
        return _from_pandas(data, place)
    if isinstance(data, np.ndarray) and data.dtype.names:
        return pa.table({name: column(data[name], name) for name in data.dtype.names})
    if isinstance(data, (list, tuple)) and data and all(isinstance(row, Mapping) for row in data):
        names = list(dict.fromkeys(name for row in data for name in row))
        return pa.table({name: column([row.get(name) for row in data], name) for name in names})
    if len(columns) == 1 and not isinstance(data, (str, bytes)) and not _is_frame(data):
        return pa.table({columns[0]: column(data, columns[0])})
    try:
        if hasattr(data, "__arrow_c_stream__"):
            return pa.table(data)
        if hasattr(data, "to_arrow") and isinstance(table := data.to_arrow(), pa.Table):
            return table
    except (pa.ArrowException, TypeError, ValueError):
        # A series, say, is a stream, too: of values.
        pass
    raise InputError(
        f"a {type(data).__name__} is no table",
        place=place,
        hint="give a pyarrow table, a frame of pandas or polars, a dict of columns or a list of dicts",
    )


def _is_frame(data: Any) -> bool:
    return hasattr(data, "columns") and hasattr(data, "__arrow_c_stream__")


def _from_mapping(data: Mapping[str, Any], place: str) -> pa.Table:
    if wrong := [name for name in data if not isinstance(name, str)]:
        raise InputError(f"the name of a column is {wrong[0]!r}, and no text", place=place)
    if data and all(is_single(value) for value in data.values()):
        return pa.table({name: column([value], name) for name, value in data.items()})
    arrays = {name: column(value, name) for name, value in data.items()}
    if len({len(array) for array in arrays.values()}) > 1:
        lengths = ", ".join(f"{name}: {len(array)}" for name, array in arrays.items())
        raise InputError(f"the columns have different lengths ({lengths})", place=place)
    return pa.table(arrays)


def is_single(value: Any) -> bool:
    """Whether this is one value, and no column of them."""
    return value is None or isinstance(value, (str, bytes)) or not hasattr(value, "__len__")


def _from_pandas(data: Any, place: str) -> pa.Table:
    try:
        table = pa.Table.from_pandas(data, preserve_index=False)
        for number, kind in enumerate(table.schema.types):
            if (pa.types.is_timestamp(kind) or pa.types.is_date(kind)) and data.dtypes.iloc[number].kind == "O":
                table = table.set_column(number, table.field(number).name, column(data.iloc[:, number].tolist(), table.field(number).name))
        return table
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise InputError(f"the frame cannot be read: {error}", code=1001, place=place) from None


def column(values: Any, name: str) -> Any:
    """An Arrow array (whole or in chunks) of a list, a numpy array, a Series, or an Arrow array."""
    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        return values
    if is_single(values):
        raise InputError(f"a single {type(values).__name__} is no column", place=f"column '{name}'", hint="give a list")
    try:
        if isinstance(values, np.ndarray) and values.ndim == 2:
            flat = pa.array(np.ascontiguousarray(values).reshape(-1))
            return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
        if not isinstance(values, np.ndarray) and hasattr(values, "to_arrow"):
            return values.to_arrow()
        return array_of(values) if _holds_objects(values) or isinstance(values, np.ndarray) else pa.array(values)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"the values do not make a column: {error}", code=1001, place=f"column '{name}'") from None


def _holds_objects(values: Any) -> bool:
    """Whether these are objects of Python, among which there may be times that Arrow would not read exactly."""
    if isinstance(values, (list, tuple)):
        return bool(values) and not isinstance(values[0], (int, float, str))
    return getattr(getattr(values, "dtype", None), "kind", "") == "O"


def conform(array: Any, kind: WireType, name: str, *, zone: str | None = None, floor: bool = False) -> Any:
    """A column as the declared type. Values change their type where none of them changes by it; float64 is rounded to float32, but never to
    an infinity."""
    target, place = kind.arrow, f"column '{name}'"
    if array.type == target:
        return array
    array = decoded(array)
    if kind.scalar == 8 and kind.shape not in (LIST, VECTOR):
        return to_times(array, place, zone=zone, floor=floor)
    if not _may_become(array.type, target):
        raise InputError(f"the column holds {array.type}, and {kind.name} is declared", code=1001, place=place, hint="convert the column")
    try:
        found = array.cast(target)
    except pa.ArrowException as error:
        raise InputError(f"a value does not fit {kind.name}: {error}", code=1001, place=place) from None
    if kind.element == pa.float32() and (row := _overflow(array, found)) is not None:
        raise InputError(
            f"a value of row {row + 1} is too large for {kind.name}", code=1001, place=place, hint="scale it, or declare float64"
        )
    return found


def _overflow(given: Any, found: Any) -> int | None:
    """The first row in which a finite number became an infinity: Arrow rounds it so without a word."""
    is_list = pa.types.is_list(found.type) or pa.types.is_fixed_size_list(found.type)
    if not pc.any(pc.is_inf(pc.list_flatten(found) if is_list else found)).as_py():
        return None
    given, found, rows = one_chunk(given), one_chunk(found), None
    if is_list:
        given, found, rows = pc.list_flatten(given), pc.list_flatten(found), pc.list_parent_indices(found)
    at = pc.index(pc.and_(pc.is_inf(found), pc.is_finite(given)), True).as_py()
    return None if at < 0 else at if rows is None else rows[at].as_py()


def _may_become(found: pa.DataType, wanted: pa.DataType) -> bool:
    types = pa.types
    if types.is_null(found):
        return True
    if types.is_list(wanted) or types.is_fixed_size_list(wanted):
        if types.is_list(found) or types.is_large_list(found) or types.is_fixed_size_list(found):
            return found.value_type == wanted.value_type or _may_become(found.value_type, wanted.value_type)
        return False
    if types.is_integer(wanted) or types.is_floating(wanted):
        return types.is_integer(found) or types.is_floating(found)
    if types.is_string(wanted):
        return types.is_string(found) or types.is_large_string(found) or types.is_string_view(found)
    if types.is_binary(wanted):
        return any(is_kind(found) for is_kind in (types.is_binary, types.is_large_binary, types.is_binary_view, types.is_fixed_size_binary))
    return types.is_timestamp(wanted) and types.is_timestamp(found) and found.tz is not None


def natural(array: Any, name: str) -> tuple[Any, WireType]:
    """A column in the type of the wire that is nearest to its own, where no definition says which."""
    array = decoded(array)
    kind = array.type
    if pa.types.is_integer(kind):
        wanted = WireType.named("int64")
    elif pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        wanted = WireType.named("string")
    elif pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind) or pa.types.is_fixed_size_binary(kind):
        wanted = WireType.named("bytes")
    else:
        known = wire_type(kind)
        if known is None:
            raise InputError(f"values of type {kind} are not known here", code=1001, place=f"column '{name}'")
        wanted = known
    return conform(array, wanted, name), wanted


def pick(table: pa.Table, name: str, what: str, place: str) -> Any:
    """The column of that name."""
    names = table.column_names
    if (count := names.count(name)) > 1:
        raise InputError(f"there are {count} columns '{name}', which is the {what}", code=1005, place=place, hint="rename or drop one")
    if count:
        return table.column(name)
    near = difflib.get_close_matches(str(name), names, 1)
    hint = f"did you mean '{near[0]}'?" if near else f"the columns are {', '.join(names) or 'none'}"
    raise InputError(f"there is no column '{name}', which is the {what}", code=1005, place=place, hint=hint)


def one_chunk(array: Any) -> pa.Array:
    """The array of a column, in one piece."""
    if isinstance(array, pa.ChunkedArray):
        return array.chunk(0) if array.num_chunks == 1 else pa.concat_arrays(array.chunks or [pa.array([], array.type)])
    return array


def batches(table: pa.Table, most_rows: int) -> Iterator[pa.RecordBatch]:
    """The table in pieces of at most so many rows, without copying; chunks that are very small are put together first."""
    if table.num_columns and table.num_rows and table.column(0).num_chunks > 1 + table.num_rows // 1024:
        table = table.combine_chunks()
    yield from (batch for batch in table.to_batches(max_chunksize=most_rows) if batch.num_rows)


def rows_of_bytes(table: pa.Table, size: int) -> int:
    """About how many rows of a table take so many bytes; a multiple of 8."""
    width = max(1, table.nbytes // max(1, table.num_rows))
    return max(8, min(size // width, MOST_ROWS) // 8 * 8)


def payloads(table: pa.Table, schema: WireSchema, size: int, longest: int) -> Iterator[tuple[Payload, int]]:
    """`rows` for a whole table, each with its number of rows: about `size` bytes, and never more than `longest`."""
    for batch in batches(table, rows_of_bytes(table, min(size, longest))):
        waiting = [batch]
        while waiting:
            piece = waiting.pop()
            payload = write_columns(Payload(), piece.columns, schema)
            if payload.size <= longest:
                yield payload, piece.num_rows
            elif piece.num_rows == 1:
                raise InputError(f"a row takes {payload.size} bytes, and the server takes {longest}", code=1004)
            else:
                half = piece.num_rows // 2
                waiting += [piece.slice(half), piece.slice(0, half)]


def fitting(batch: pa.RecordBatch, most_rows: int, size: int) -> Iterator[pa.RecordBatch]:
    """A batch in pieces of at most so many rows and bytes, one behind the other: halves of halves, where rows are of very different lengths. A
    row that is longer is a piece of its own."""
    for first in range(0, batch.num_rows, most_rows):
        waiting = [batch.slice(first, most_rows)]
        while waiting:
            piece = waiting.pop()
            if piece.nbytes <= size or piece.num_rows == 1:
                yield piece
            else:
                half = piece.num_rows // 2
                waiting += [piece.slice(half), piece.slice(0, half)]
