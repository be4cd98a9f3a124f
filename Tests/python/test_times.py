"""Times are exact microseconds in UTC, or refused."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from whencedb import tables
from whencedb.errors import InputError
from whencedb.times import TIMESTAMP, array_of, microseconds, to_times

UTC = datetime.timezone.utc
NEW_YORK = datetime.timezone(datetime.timedelta(hours=-5))


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (datetime.datetime(1970, 1, 1, tzinfo=UTC), 0),
        (datetime.datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), -1),
        (datetime.datetime(2013, 1, 1, 0, 0, 0, 1, tzinfo=NEW_YORK), 1_357_016_400_000_001),
        (pd.Timestamp("2013-01-01 05:00:00.000001", tz="UTC"), 1_357_016_400_000_001),
        (pd.Timestamp("2013-01-01 05:00", tz="UTC").as_unit("ns"), 1_357_016_400_000_000),
        ("2013-01-01T05:00:00Z", 1_357_016_400_000_000),
        ("2013-01-01T00:00:00-05:00", 1_357_016_400_000_000),
        (1_357_016_400_000_001, 1_357_016_400_000_001),
        (np.int64(-7), -7),
        (pa.scalar(5, TIMESTAMP), 5),
        (datetime.datetime(1, 1, 1, tzinfo=UTC), -62_135_596_800_000_000),
        (datetime.datetime.max.replace(tzinfo=UTC), 253_402_300_799_999_999),
    ],
    ids=str,
)
def test_one_instant(time, expected):
    assert microseconds(time) == expected


@pytest.mark.parametrize(
    "time",
    [
        datetime.datetime(2013, 1, 1),
        pd.Timestamp("2013-01-01"),
        np.datetime64("2013-01-01T00:00:00"),
        datetime.date(2013, 1, 1),
        "2013-01-01T00:00:00",
        pd.Timestamp("2013-01-01 00:00:00.000000001", tz="UTC"),
        "yesterday",
        None,
        True,
        1.5,
        pd.NaT,
        np.datetime64("NaT"),
        np.timedelta64(3, "s"),
        2**63,
        2**70,
        object(),
    ],
    ids=repr,
)
def test_what_is_no_instant_is_refused(time):
    with pytest.raises(InputError) as raised:
        microseconds(time, "known_at")
    assert raised.value.code == 1002 and raised.value.place == "known_at"


def test_a_zone_makes_wall_clocks_instants():
    assert microseconds(datetime.datetime(2013, 1, 1), zone="America/New_York") == 1_357_016_400_000_000
    assert microseconds("2013-01-01T00:00:00", zone="America/New_York") == 1_357_016_400_000_000
    assert microseconds(datetime.date(2013, 1, 1), zone="America/New_York") == 1_357_016_400_000_000


@pytest.mark.parametrize("unit", ["D", "h", "m", "s", "ms", "us", "ns"])
def test_the_times_of_numpy_are_wall_clocks_of_a_zone(unit):
    day = np.datetime64("2013-01-01", unit)
    assert microseconds(day, zone="America/New_York") == 1_357_016_400_000_000
    assert to_times(tables.column(np.array([day]), "at"), "at", zone="UTC").cast(pa.int64()).to_pylist() == [1_356_998_400_000_000]


def test_times_of_numpy_that_would_wrap_around():
    far = np.array([10**16], "M8[h]")
    with pytest.raises(InputError, match="out of range"):
        microseconds(far[0], zone="UTC")
    with pytest.raises(InputError, match="out of range"):
        tables.column(far, "at")


def test_an_instant_is_floored_where_the_caller_says_so():
    fine = pd.Timestamp("1969-12-31 23:59:59.999999999", tz="UTC")
    with pytest.raises(InputError, match="finer"):
        microseconds(fine)
    assert microseconds(fine, floor=True) == -1


AWARE, NAIVE, DAY = datetime.datetime(2024, 5, 1, 12, tzinfo=NEW_YORK), datetime.datetime(2024, 5, 1, 12), datetime.date(2024, 5, 1)


@pytest.mark.parametrize(
    "pair", [(AWARE, NAIVE), (NAIVE, AWARE), (DAY, NAIVE), (DAY, AWARE), (pd.Timestamp(AWARE), pd.Timestamp(NAIVE))], ids=str
)
def test_times_with_a_zone_and_others_are_not_mixed(pair):
    """Arrow would take the wall clock for UTC, or cut the time to its date."""
    for values in ([None, *pair], np.array(pair, object), pd.Series(pair, dtype=object), [list(pair)]):
        with pytest.raises(InputError, match="are mixed"):
            tables.column(values, "at")
    frame = pd.DataFrame({"at": pd.Series(pair, dtype=object), "x": [1, 2]})
    with pytest.raises(InputError, match="are mixed"):
        tables.to_table(frame, "here")
    assert to_times(tables.column([AWARE, None, AWARE.astimezone(UTC)], "at"), "at").to_pylist() == [AWARE, None, AWARE]


def test_times_in_lists_are_exact_too():
    with pytest.raises(InputError, match="finer than a microsecond"):
        tables.column([[pd.Timestamp("2013-01-01 00:00:00.000000001", tz="UTC")], None], "at")
    assert tables.column([[AWARE], None], "at").to_pylist() == [[AWARE], None]


def columns_of(times):
    """The same instants in every form that frames have them in."""
    yield "datetimes", pa.array(times)
    yield "pandas ns", pa.Array.from_pandas(pd.Series(pd.DatetimeIndex(times).as_unit("ns")))
    yield "pandas us", pa.Array.from_pandas(pd.Series(pd.DatetimeIndex(times).as_unit("us")))
    yield "pandas with a zone", pa.Array.from_pandas(pd.Series(pd.DatetimeIndex(times).tz_convert("Asia/Kolkata")))
    yield "polars", pl.Series(times).to_arrow()
    yield "dictionary", pa.array(times, pa.timestamp("us", tz="UTC")).dictionary_encode()
    yield "text", pa.array([time.isoformat() for time in times])
    yield "chunks", pa.chunked_array([pa.array(times[:1], pa.timestamp("us", tz="UTC")), pa.array(times[1:], pa.timestamp("us", tz="UTC"))])


TIMES = [datetime.datetime(2013, 1, 31, 5, tzinfo=UTC) + datetime.timedelta(microseconds=7 * i, hours=i) for i in range(5)]
FORMS = dict(columns_of(TIMES))


@pytest.mark.parametrize("form", FORMS)
def test_a_column_in_any_form(form):
    found = to_times(FORMS[form], "at")
    assert found.type == TIMESTAMP
    assert found.to_pylist() == TIMES


def test_nanoseconds_are_exact_or_refused_or_floored():
    fine = pa.array([1_000, 1_500, -500, None], pa.timestamp("ns", tz="UTC"))
    with pytest.raises(InputError, match="row 2 is finer"):
        to_times(fine, "at")
    assert to_times(fine, "at", floor=True).cast(pa.int64()).to_pylist() == [1, 1, -1, None]
    assert to_times(fine.take(pa.array([0, 3])), "at").cast(pa.int64()).to_pylist() == [1, None]
    naive = pa.array([-500, 2_000], pa.timestamp("ns"))
    with pytest.raises(InputError, match="row 1 is finer"):
        to_times(naive, "at", zone="UTC")
    assert to_times(naive, "at", zone="UTC", floor=True).cast(pa.int64()).to_pylist() == [-1, 2]


def test_seconds_that_are_too_many_are_refused():
    with pytest.raises(InputError, match="out of range"):
        to_times(pa.array([2**62], pa.timestamp("s", tz="UTC")), "at")


@pytest.mark.parametrize("wall", ["2024-03-10 02:30", "2024-11-03 01:30"], ids=["skipped", "twice"])
@pytest.mark.parametrize("form", [str, datetime.datetime.fromisoformat, pd.Timestamp, np.datetime64], ids=lambda form: form.__name__)
def test_the_nights_on_which_clocks_are_set(form, wall):
    """One instant is refused as a column is."""
    for ask in (
        lambda: microseconds(form(wall), "at", zone="America/New_York"),
        lambda: to_times(array_of(np.array([form(wall)]) if form is np.datetime64 else [form(wall)]), "at", zone="America/New_York"),
    ):
        with pytest.raises(InputError) as raised:
            ask()
        assert raised.value.code == 1002 and "UTC" in raised.value.hint
    assert microseconds(form("2024-03-10 03:30"), zone="America/New_York") == 1_710_055_800_000_000


@pytest.mark.parametrize("array", [pa.array([1, 2]), pa.array([1.5]), pa.array([True])], ids=str)
def test_numbers_are_no_times(array):
    with pytest.raises(InputError, match="not times"):
        to_times(array, "at", zone="UTC")


@pytest.mark.parametrize("zone", ["Atlantis/City", "../x", "Europe"])
def test_an_unknown_zone(zone):
    wall = datetime.datetime(2024, 1, 1)
    for ask in (lambda: to_times(pa.array([wall]), "at", zone=zone), lambda: microseconds(wall, "at", zone=zone)):
        with pytest.raises(InputError, match="there is no zone") as raised:
            ask()
        assert raised.value.code == 1002 and "IANA" in raised.value.hint


def test_nanoseconds_among_objects_are_seen_too():
    fine = pd.Timestamp("2013-01-01 00:00:00.000000001", tz="UTC")
    whole = pd.Timestamp("2013-01-01", tz="UTC")
    for values in ([None, fine, whole], np.array([whole, fine], object), pd.Series([whole, fine], dtype=object)):
        with pytest.raises(InputError, match="row 2 is finer"):
            to_times(tables.column(values, "at"), "at")
    frame = pd.DataFrame({"at": pd.Series([whole, fine], dtype=object), "x": [1, 2]})
    with pytest.raises(InputError, match="row 2 is finer"):
        to_times(tables.to_table(frame, "here").column("at"), "at")
    assert to_times(tables.column([fine, None], "at"), "at", floor=True).to_pylist() == [whole.to_pydatetime(), None]
