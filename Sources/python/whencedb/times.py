"""Times: exact microseconds in UTC out of whatever a caller has, or a refusal that says what to do."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .errors import InputError

#: What every time is on the wire.
TIMESTAMP = pa.timestamp("us", tz="UTC")
EARLIEST, LATEST = -(1 << 63), (1 << 63) - 1
_DAY = 86_400_000_000
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
_MICROSECOND = datetime.timedelta(microseconds=1)


def microseconds(time: Any, place: str = "time", zone: str | None = None, floor: bool = False) -> int:
    """One instant as microseconds since the Unix epoch.

    Takes an aware `datetime` (also pandas' and pyarrow's), text with an offset (`2013-01-31T05:00:00Z`), and the int microseconds that this
    package returns as commit times and pins. Times without a zone, as all of numpy's are, are read and refused as those of a column: `zone`
    names one, and a wall clock that it skips or repeats is no instant.
    """
    if time is None or isinstance(time, (bool, np.timedelta64)):
        raise InputError(f"{time!r} is no time", code=1002, place=place)
    if isinstance(time, (int, np.integer)):
        if not EARLIEST <= int(time) <= LATEST:
            raise InputError(f"{time} microseconds are out of range", code=1002, place=place)
        return int(time)
    if isinstance(time, datetime.datetime) and time != time:
        raise InputError("a time is missing", code=1002, place=place)
    if isinstance(time, datetime.datetime) and time.utcoffset() is not None and not getattr(time, "nanosecond", 0):
        return (time - _EPOCH) // _MICROSECOND
    try:
        array = array_of(np.array([time]) if isinstance(time, np.datetime64) else [time])
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{time!r} is no time: {error}", code=1002, place=place) from None
    found = to_times(array, place, zone=zone, floor=floor).cast(pa.int64())[0].as_py()
    if found is None:
        raise InputError("a time is missing", code=1002, place=place)
    return int(found)


def optional_microseconds(time: Any, place: str, zone: str | None = None) -> int | None:
    return None if time is None else microseconds(time, place, zone)


def array_of(values: Any) -> Any:
    """An Arrow array of values, with times as they are: Arrow by itself drops the nanoseconds of pandas' timestamps without a word, and
    knows only some of numpy's units."""
    if isinstance(values, np.ndarray) and values.dtype.kind != "O":
        return pa.array(_in_a_known_unit(values))
    array = pa.array(values)
    _refuse_mixed(array.type, values)
    if not pa.types.is_timestamp(array.type) or not any(getattr(value, "nanosecond", 0) for value in values):
        return array
    first = next(value for value in values if getattr(value, "nanosecond", 0))
    ticks = [
        None if tick is None else tick + getattr(value, "nanosecond", 0) for tick, value in zip(_nanoseconds(array), values, strict=True)
    ]
    return pa.array(ticks, pa.timestamp("ns", tz=None if first.tzinfo is None else "UTC"))


def _refuse_mixed(kind: pa.DataType, values: Any) -> None:
    """Arrow makes one type of what is mixed, by the first of them: it takes wall clocks for UTC, and cuts times to dates."""
    if pa.types.is_list(kind):
        kind, values = kind.value_type, [value for part in values if part is not None for value in part]
        if pa.types.is_timestamp(kind) and any(getattr(value, "nanosecond", 0) for value in values):
            raise ValueError("a time is finer than a microsecond")
    if not pa.types.is_temporal(kind):
        return
    found = {
        "dates" if not isinstance(value, datetime.datetime) else "times without a zone" if value.tzinfo is None else "times with a zone"
        for value in values
        if isinstance(value, datetime.date) and value == value
    }
    if len(found) > 1:
        raise ValueError(f"{' and '.join(sorted(found))} are mixed")


def _in_a_known_unit(values: np.ndarray) -> np.ndarray:
    """Years to weeks as days, hours and minutes as seconds: exactly the same times. Numpy wraps around without a word where they are too
    far."""
    if values.dtype.kind != "M":
        return values
    unit = {"Y": "D", "M": "D", "W": "D", "h": "s", "m": "s", "generic": "us"}.get(np.datetime_data(values.dtype)[0])
    if unit is None:
        return values
    found = values.astype(f"M8[{unit}]")
    if not np.array_equal(found.astype(values.dtype), values, equal_nan=True):
        raise ValueError("a time is out of range")
    return found


def _nanoseconds(array: Any) -> list[int | None]:
    return array.cast(pa.timestamp("us", tz=array.type.tz)).cast(pa.timestamp("ns", tz=array.type.tz)).cast(pa.int64()).to_pylist()


def decoded(array: Any) -> Any:
    """The values of a dictionary, one for each row; any other array as it is. Arrow casts only some dictionaries, and takes no rows of
    the views that the categories of polars are."""
    if not pa.types.is_dictionary(array.type):
        return array
    if isinstance(array, pa.ChunkedArray):
        chunks = [decoded(chunk) for chunk in array.chunks]
        return pa.chunked_array(chunks, chunks[0].type if chunks else array.type.value_type)
    kind, values = array.type.value_type, array.dictionary
    if pa.types.is_string_view(kind) or pa.types.is_binary_view(kind):
        values = values.cast(pa.large_string() if pa.types.is_string_view(kind) else pa.large_binary())
    return values.take(array.indices)


def to_times(array: Any, place: str, *, zone: str | None = None, floor: bool = False) -> Any:
    """A column of times as timestamps in microseconds, UTC; nothing is copied where it is one already.

    Refuses times without a zone unless `zone` names one, and times finer than a microsecond unless `floor` is set.
    """
    try:
        return _to_times(array, place, zone, floor)
    except (pa.ArrowException, OverflowError) as error:
        raise InputError(f"the times cannot be read: {error}", code=1002, place=place) from None


def _to_times(array: Any, place: str, zone: str | None, floor: bool) -> Any:
    array = decoded(array)
    kind = array.type
    if kind == TIMESTAMP:
        return array
    if pa.types.is_null(kind):
        return array.cast(TIMESTAMP)
    if pa.types.is_date(kind):
        _need_zone(zone, place, "dates")
        return _in_zone(array.cast(pa.timestamp("us")), str(zone), place)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return _parsed(array, place, zone)
    if not pa.types.is_timestamp(kind):
        raise InputError(
            f"the column holds {kind}, and not times",
            code=1002,
            place=place,
            hint="convert it to timestamps with a zone, say with pandas.to_datetime(…, unit=…, utc=True)",
        )
    if kind.tz is None:
        _need_zone(zone, place, "times")
        return _in_zone(_in_microseconds(array, None, place, floor), str(zone), place)
    return _in_microseconds(array, kind.tz, place, floor).cast(TIMESTAMP)


def _need_zone(zone: str | None, place: str, what: str) -> None:
    if not zone:
        raise InputError(
            f"{what} without a zone are ambiguous",
            code=1002,
            place=place,
            hint="say zone='UTC', or the IANA name of the zone in which they were written",
        )


def _in_microseconds(array: Any, tz: str | None, place: str, floor: bool) -> Any:
    if array.type.unit == "ns":
        if not floor:
            ticks = array.cast(pa.timestamp("ns")).cast(pa.int64()) if tz else array.cast(pa.int64())
            whole = pc.multiply(pc.divide(ticks, 1000), 1000)
            if pc.all(pc.equal(ticks, whole)).as_py() is False:
                row = pc.index(pc.fill_null(pc.not_equal(ticks, whole), False), True).as_py()
                raise InputError(
                    f"the time of row {row + 1} is finer than a microsecond",
                    code=1002,
                    place=place,
                    hint="say floor_times=True to have it floored",
                )
        else:
            # A cast cuts towards zero, and the floor of a time before 1970 lies the other way.
            array = pc.floor_temporal(array, unit="microsecond")
    try:
        return array.cast(pa.timestamp("us", tz=tz), safe=array.type.unit != "ns")
    except pa.ArrowInvalid as error:
        raise InputError(f"a time is out of range: {error}", code=1002, place=place) from None


def _in_zone(array: Any, zone: str, place: str) -> Any:
    try:
        # No choice between two times is made here, and so whatever is wrong is the zone.
        pc.assume_timezone(pa.array([0], pa.timestamp("us")), zone, ambiguous="earliest", nonexistent="earliest")
    except pa.ArrowException:
        raise InputError(
            f"there is no zone '{zone}'", code=1002, place=place, hint="give zone= an IANA name, such as 'Europe/Berlin' or 'UTC'"
        ) from None
    # So near to the ends of time it would wrap around.
    ends = pc.min_max(array.cast(pa.int64())).as_py()
    if ends["min"] is not None and (ends["min"] < EARLIEST + _DAY or ends["max"] > LATEST - _DAY):
        raise InputError("a time is out of range", code=1002, place=place)
    try:
        return pc.assume_timezone(array, zone).cast(TIMESTAMP)
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise InputError(
            f"{error}",
            code=1002,
            place=place,
            hint="the clock was set that night, so there is no such time or there are two: give the times in UTC",
        ) from None


def _parsed(array: Any, place: str, zone: str | None) -> Any:
    try:
        return array.cast(TIMESTAMP)
    except pa.ArrowInvalid as error:
        if zone:
            try:
                return _in_zone(array.cast(pa.timestamp("us")), zone, place)
            except pa.ArrowInvalid:
                pass
        raise InputError(f"{error}", code=1002, place=place, hint="write times as 2013-01-31T05:00:00Z, or say zone=") from None
