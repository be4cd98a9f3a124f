"""What a user does, against a real server over a real socket."""

import asyncio
import datetime
import os
import random
import socket
import threading
import time
import uuid

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import whencedb
import whencedb.aio
from conftest import DEFINITIONS, FAST
from whencedb import calls
from whencedb.connection import Connection
from whencedb.wire import kinds
from whencedb.wire.frames import frame_parts
from whencedb.writing import Writing

SEED = int(os.environ.get("WHENCE_SEED", random.SystemRandom().randrange(1 << 32)))
UTC = datetime.timezone.utc
START = datetime.datetime(2024, 5, 1, tzinfo=UTC)
HOUR = datetime.timedelta(hours=1)
_next_driver = iter(range(1_000_000, 2_000_000))


def now():
    return datetime.datetime.now(UTC)


@pytest.fixture
def driver():
    """A driver of this test alone: the store is shared."""
    return next(_next_driver)


# Definitions


def test_definitions_are_planned_applied_and_shown(client):
    more = "views:\n  - name: extra\n    entity: driver\n    features: [{ name: x, type: float64 }]\n"
    plan = client.plan(more)
    assert "extra" in str(plan)
    assert not any(item["name"] == "extra" for item in client.catalog())
    applied = client.apply(more)
    assert applied["applied"] is True
    assert any(item["name"] == "extra" and item["kind"] == "view" for item in client.catalog())
    assert "extra" in str(client.show("extra"))
    assert client.definitions()["catalog_version"] == applied["catalog_version"]
    described = client.describe("eta")
    assert described.join_keys == {"driver": "int64"}
    assert described.features == {"speed": "float64", "count": "int64", "hours": "float32"}


def test_an_apply_that_was_planned_against_an_older_catalog(client):
    with pytest.raises(whencedb.DefinitionError) as raised:
        client.apply("entities:\n  - name: late\n    join_keys: [{ name: late, type: int64 }]\n", base_version=10_000)
    assert raised.value.code == 2002


def test_wrong_definitions_say_file_and_line(client, tmp_path):
    file = tmp_path / "broken.yaml"
    file.write_text("views:\n  - name: v\n    entity: nobody\n    features: [{ name: x, type: float65 }]\n")
    with pytest.raises(whencedb.DefinitionError) as raised:
        client.apply(file)
    assert "broken.yaml" in str(raised.value)


@pytest.mark.parametrize(
    ("ask", "kind"),
    [
        (lambda client: client.describe("nothing"), whencedb.NotFound),
        (lambda client: client.get("nothing", [1]), whencedb.NotFound),
        (lambda client: client.get(["trips.nothing"], [1]), whencedb.WhenceError),
        (lambda client: client.show("nothing"), whencedb.NotFound),
        (lambda client: client.write("nothing", {"driver": [1]}, now()), whencedb.WhenceError),
        (lambda client: client.write("trips", {"driver": [1], "sped": [1.0]}, now()), whencedb.InputError),
        (lambda client: client.write("trips", {"driver": [1], "speed": ["x"]}, now()), whencedb.InputError),
        (lambda client: client.get("eta", {"car": [1]}), whencedb.InputError),
        (lambda client: client.compact("nothing"), whencedb.NotFound),
    ],
)
def test_what_is_not_there_is_named(client, ask, kind):
    with pytest.raises(kind) as raised:
        ask(client)
    assert raised.value.message and not raised.value.retryable
    assert client.ping() > 0


# Writes and online reads


def test_the_latest_is_read(client, driver):
    client.write("trips", {"driver": [driver] * 2, "speed": [1.0, 2.0], "event_time": [now() - HOUR, now() - HOUR / 2]})
    answer = client.get("eta", [driver, -1], event_times=True, ages=True)
    assert answer["speed"].tolist()[0] == 2.0 and np.isnan(answer["speed"][1])
    assert answer.valid("count").tolist() == [False, False]
    table = answer.to_arrow().to_pydict()
    age = next(name for name in table if name.endswith("trips.age"))
    assert 0.4 * 3600e6 < table[age][0] < 0.7 * 3600e6 and table[age][1] is None
    assert table["driver"] == [driver, -1]


def test_absent_falls_through_and_null_is_a_value(client, driver):
    at = now() - HOUR
    client.write("trips", {"driver": [driver], "speed": [1.0], "count": [5]}, at)
    client.write("trips", [{"driver": driver, "speed": None}], at + HOUR / 4)
    assert client.get("eta", [driver])["speed"][0] == 1.0
    client.write("trips", [{"driver": driver, "speed": None}], at + HOUR / 2, missing_is_null=True)
    answer = client.get("eta", [driver])
    assert not answer.valid("speed")[0] and answer["count"][0] == 5


def test_deletions_and_retractions(client, driver):
    at = now() - HOUR
    for step in range(3):
        client.write("trips", {"driver": [driver], "speed": [float(step)]}, at + step * HOUR / 10)
    client.retract("trips", {"driver": [driver]}, at + 2 * HOUR / 10)
    assert client.get("eta", [driver])["speed"][0] == 1.0
    client.delete("trips", {"driver": [driver]}, at + 5 * HOUR / 10)
    assert not client.get("eta", [driver]).valid("speed")[0]
    history = client.history("trips", {"driver": driver}).to_arrow()
    assert sorted(history["kind"].to_pylist()) == ["deletion", "retraction", "row", "row", "row"]
    assert {"event_time", "commit_time", "availability_time", "carries", "speed", "car"} <= set(history.column_names)


def test_every_type_comes_back_as_it_went(client):
    when = now().replace(microsecond=123_456) - HOUR
    rows = {
        "origin": ["AÄ", "𝄞"], "stop": [1, -(2**63)], "flag": [True, None], "small": [-(2**31), None], "large": [2**63 - 1, None],
        "half": [0.5, None], "full": [float("inf"), None], "text": ["a\0é", None], "raw": [b"\xff\0", None], "seen": [when, None],
        "embedding": [[1.0, -0.0, 3.5], None], "words": [["x", ""], []], "numbers": [[1, -2], None],
    }  # fmt: skip
    client.write("roads", rows, when, missing_is_null=True)
    answer = client.get("everything", {"origin": rows["origin"], "stop": rows["stop"]})
    assert answer.to_arrow().to_pydict() == rows
    spine = {"origin": rows["origin"], "stop": rows["stop"], "event_time": [when, when]}
    joined = client.as_of(spine, "everything").to_arrow()
    assert joined.select(answer.to_arrow().column_names).to_pydict() == rows
    vectors = client.prepare("everything")({"origin": rows["origin"], "stop": rows["stop"]})["embedding"]
    np.testing.assert_array_equal(vectors, [[1.0, 0.0, 3.5], [np.nan] * 3])


def test_frames_of_all_libraries_are_written(client, driver):
    at = now() - HOUR
    frames = [
        pd.DataFrame({"driver": [driver], "event_time": pd.to_datetime([at]).as_unit("ns"), "speed": [1.0], "count": [1]}),
        pl.DataFrame({"driver": [driver], "event_time": [at + HOUR / 9], "speed": [2.0], "car": ["x"]}),
        pa.table({"driver": [driver], "event_time": [at + 2 * HOUR / 9], "speed": [3.0]}),
        [{"driver": driver, "event_time": at + 3 * HOUR / 9, "speed": 4.0}],
    ]
    for number, frame in enumerate(frames, 1):
        client.write("trips", frame)
        assert client.get("eta", [driver])["speed"][0] == number


@pytest.mark.parametrize("kind", [pl.Categorical, pl.Enum(["A", "B", "up", "down"])], ids=["categorical", "enum"])
def test_categories_of_polars_are_strings_everywhere(client, driver, kind):
    """As join key and as feature, written and asked for, online and in a spine."""
    at = START + (driver - 1_000_000) * HOUR
    keys = {"origin": pl.Series(["A", "B"], dtype=kind), "stop": [driver, driver]}
    client.write("roads", pl.DataFrame(keys | {"event_time": [at, at], "text": pl.Series(["up", "down"], dtype=kind)}))
    for entities in (keys, pl.DataFrame(keys)):
        assert client.get(["roads.text"], entities).to_arrow()["roads.text"].to_pylist() == ["up", "down"]
    assert client.prepare(["roads.text"])(keys)["roads.text"].tolist() == ["up", "down"]
    spine = pl.DataFrame(keys | {"event_time": [at, at - HOUR]})
    joined = client.as_of(spine, ["roads.text"])
    assert joined["roads.text"].to_pylist() == ["up", None]
    assert joined.to_polars()["origin"].dtype == spine["origin"].dtype
    batches = list(client.as_of_batches(pl.concat([spine, spine]), ["roads.text"], batch_rows=1))
    assert sum(batch.num_rows for batch in batches) == 4


@pytest.mark.parametrize("wall", [datetime.datetime(2024, 3, 10, 2, 30), pd.Timestamp(2024, 11, 3, 1, 30)], ids=["skipped", "twice"])
def test_an_instant_that_a_clock_skips_or_repeats_is_never_committed(client, driver, wall):
    key, zone = {"driver": [driver]}, "America/New_York"
    for ask in (
        lambda: client.write("trips", key | {"speed": [1.0]}, wall, zone=zone),
        lambda: client.delete("trips", key, wall, zone=zone),
        lambda: client.retract("trips", key, wall, zone=zone),
        lambda: client.backfill("trips", key | {"speed": [1.0]}, wall, zone=zone),
        lambda: client.as_of(key | {"event_time": [START]}, "eta", known_at=wall, zone=zone),
    ):
        with pytest.raises(whencedb.InputError) as raised:
            ask()
        assert raised.value.code == 1002
    assert len(client.history("trips", key)) == 0


def test_prepared_reads_and_pipelines(client):
    drivers = [next(_next_driver) for _ in range(100)]
    client.write("trips", {"driver": drivers, "speed": np.arange(100.0), "count": range(100)} | {"count": list(range(100))}, now() - HOUR)
    read = client.prepare("eta")
    columns = read.read(np.array(drivers))
    assert columns["speed"].tolist() == list(range(100)) and columns["count"].dtype == np.int64
    answers = read.many([[driver] for driver in drivers])
    assert [answer["speed"][0] for answer in answers] == list(range(100))


def test_a_matrix_is_of_numbers_only(client, driver):
    client.write("trips", {"driver": [driver], "speed": [1.5], "count": [2], "car": ["x"]}, now() - HOUR)
    assert client.get(["trips.speed", "trips.count"], [driver]).matrix().tolist() == [[1.5, 2.0]]
    for features in (["trips.car"], ["roads.embedding"], ["roads.seen"], ["roads.numbers"]):
        entities = [driver] if features == ["trips.car"] else {"origin": ["x"], "stop": [1]}
        with pytest.raises(whencedb.InputError, match=features[0]) as raised:
            client.get(features, entities).matrix()
        assert raised.value.code == 1001
    with pytest.raises(whencedb.NoColumn, match="trips.car"):
        client.get(["trips.car"], [driver]).valid("zzz")


# Point-in-time joins


class Model:
    """The meaning of a read (`docs/semantics.md`), the slow way: over all versions in a frame of pandas."""

    def __init__(self):
        self.versions = pd.DataFrame()

    def add(self, rows, commit):
        frame = pd.DataFrame(rows)
        frame["commit"] = commit
        self.versions = pd.concat([self.versions, frame], ignore_index=True)

    def value(self, driver, feature, at, ttl, known_at):
        found = self.versions
        found = found[(found.driver == driver) & (found.event_time <= at) & (found.commit <= known_at)]
        found = found[found[feature].notna()]
        if ttl is not None:
            found = found[at - found.event_time <= ttl]
        if found.empty:
            return None
        return found.sort_values(["event_time", "commit"]).iloc[-1][feature]


def test_joins_are_what_a_naive_model_says(client):
    generator = random.Random(SEED)
    drivers = [next(_next_driver) for _ in range(12)]
    model, commits = Model(), []
    for _ in range(6):
        rows = [
            {
                "driver": generator.choice(drivers),
                "event_time": START + generator.randrange(48) * HOUR / 2,
                "speed": generator.choice([None, generator.random()]),
                "count": generator.choice([None, generator.randrange(100)]),
            }
            for _ in range(60)
        ]
        # Within a batch, the later row of an entity and time wins: one of each keeps the model simple.
        rows = list({(row["driver"], row["event_time"]): row for row in rows}.values())
        committed = client.write("trips", rows)
        model.add(rows, committed.commit_time)
        commits.append(committed.commit_time)
    spine = pd.DataFrame(
        {
            "weight": [generator.random() for _ in range(80)],
            "driver": [generator.choice([*drivers, -5]) for _ in range(80)],
            "at": pd.to_datetime([START + generator.randrange(120) * HOUR / 4 for _ in range(80)]),
        }
    )
    for known_at in (None, commits[2], commits[-1]):
        result = client.as_of(spine, "eta", event_time="at", known_at=known_at)
        found = result.to_arrow()
        for feature in ("speed", "count"):
            expected = [model.value(row.driver, feature, row["at"], 6 * HOUR, known_at or commits[-1]) for _, row in spine.iterrows()]
            assert found[feature].to_pylist() == expected, f"seed {SEED}"
        assert found["weight"].to_pylist() == spine["weight"].tolist()
        assert found["hours"].null_count == 80
    pinned = client.as_of(spine, "eta", event_time="at")
    client.write("trips", [{"driver": drivers[0], "event_time": START, "speed": -1.0}])
    assert client.as_of(spine, "eta", event_time="at", known_at=pinned.known_at).to_arrow().equals(pinned.to_arrow())


def test_as_served_leaves_out_what_was_not_there_yet(client, driver):
    row = {"driver": [driver], "event_time": [START], "speed": [1.0], "arrived": [START + HOUR]}
    client.write("trips", row, available_at="arrived")
    spine = {"driver": [driver] * 2, "event_time": [START + HOUR / 2, START + HOUR]}
    assert client.as_of(spine, "eta")["speed"].to_pylist() == [1.0, 1.0]
    assert client.as_of(spine, "eta", as_served=True)["speed"].to_pylist() == [None, 1.0]


def big_spine(rows, drivers):
    at = pa.array(np.full(rows, int(START.timestamp() * 1e6)) + np.arange(rows), pa.timestamp("us", tz="UTC"))
    return pa.table({"driver": np.arange(rows) % drivers, "event_time": at})


@pytest.fixture(scope="module")
def filled(server):
    with server.connect() as client:
        rows = {"driver": list(range(1000)), "speed": np.arange(1000.0), "count": list(range(1000))}
        client.write("trips", rows, START - HOUR)
    return server


@pytest.mark.parametrize("options", [{}, {"compress": True}, {"memory_bytes": 4 << 20}], ids=str)
def test_a_long_spine_keeps_its_order(filled, client, options):
    spine = big_spine(60_000, 1200)
    result = client.as_of(spine, "eta", **options)
    drivers = np.arange(60_000) % 1200
    speeds = np.asarray(result.to_arrow()["speed"].combine_chunks().fill_null(-1))
    np.testing.assert_array_equal(speeds, np.where(drivers < 1000, drivers, -1))
    assert result.to_arrow()["driver"].to_numpy().tolist() == drivers.tolist()


def test_batches_and_leaving_early(filled, client):
    spine = big_spine(60_000, 1000)
    total = sum(batch.num_rows for batch in client.as_of_batches(spine, "eta", batch_rows=4_096))
    assert total == 60_000
    for batch in client.as_of_batches(spine, "eta", batch_rows=4_096):
        assert batch.num_rows <= 4_096
        break
    assert client.get("eta", [7]).features == ["speed", "count", "hours"]


def test_a_client_that_does_not_read_holds_nobody_up(filled, server, client):
    """Nor does its stream end for it, or lose a row: it goes on where it was."""
    spine = big_spine(400_000, 1000)
    batches = client.as_of_batches(spine, "eta", batch_rows=4_096)
    rows = next(batches).num_rows
    with server.connect(timeout=10) as other:
        for _ in range(50):
            assert len(other.get("eta", list(range(100)))) == 100
        assert len(other.as_of(big_spine(1_000, 1000), "eta")) == 1_000
    time.sleep(0.5)
    assert rows + sum(batch.num_rows for batch in batches) == 400_000


def test_a_deadline_ends_a_join(filled, client):
    with pytest.raises(whencedb.DeadlineExceeded):
        client.as_of(big_spine(1_000_000, 1000), "eta", timeout=0.01)
    assert client.ping() > 0


def test_joins_and_reads_in_many_threads(filled, client):
    errors = []

    def join():
        try:
            assert client.as_of(big_spine(20_000, 1000), "eta")["speed"].null_count == 0
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=join) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(100):
        client.get("eta", [number])
    for thread in threads:
        thread.join(60)
    assert not errors


def test_every_entity_at_an_instant_and_every_version(filled, client):
    result = client.as_of_entities("trips", [START, START + HOUR], "eta", start=START - HOUR, end=START - HOUR)
    assert len(result) == 2000
    for one in (START, pd.Timestamp(START), START.isoformat(), int(START.timestamp() * 1e6), pa.scalar(START)):
        assert len(client.as_of_entities("trips", one, "eta", start=START - HOUR, end=START - HOUR)) == 1000
    versions = client.scan("trips", ["speed"], start=START - HOUR, end=START - HOUR)
    assert len(versions) == 1000
    assert sorted(versions["speed"].to_pylist()) == list(range(1000))
    assert sum(batch.num_rows for batch in client.scan_batches("trips", start=START - HOUR, end=START - HOUR, compress=True)) == 1000


def test_a_scan_of_a_range_of_entities(filled, client):
    drivers = lambda rows: sorted(set(rows.to_arrow()["driver"].to_pylist()))
    every = drivers(client.scan("trips", ["speed"]))
    for first, last in [(None, 10), (10, 20), (990, None), (-5, 0), (7, 7), (20, 10)]:
        bounds = {"first_key": None if first is None else {"driver": first}, "last_key": None if last is None else {"driver": np.int64(last)}}
        due = [driver for driver in every if (first is None or driver >= first) and (last is None or driver <= last)]
        assert drivers(client.scan("trips", ["speed"], **bounds)) == due
        assert sorted({d for batch in client.scan_batches("trips", **bounds) for d in batch["driver"].to_pylist()}) == due
    for wrong, words in [({}, "first of them"), ({"driver": 1.5}, "whole number"), ({"driver": 1 << 70}, "64 bits"), (7, "first of them")]:
        with pytest.raises(whencedb.InputError) as caught:
            client.scan("trips", first_key=wrong)
        assert words in str(caught.value)
    with pytest.raises(whencedb.WhenceError) as caught:
        client.scan("trips", first_key={"driver": "seven"})
    assert caught.value.code == 1003 and "driver (int64)" in str(caught.value)



def test_every_entity_batch_by_batch_in_a_zone(filled, client):
    at = {"start": START - HOUR, "end": START - HOUR}
    whole = client.as_of_entities("trips", START, "eta", **at, memory_bytes=4 << 20, compress=True)
    batches = list(client.as_of_entities_batches("trips", START, "eta", **at, batch_rows=64, known_at=whole.known_at))
    assert len(batches) > 1 and max(batch.num_rows for batch in batches) <= 64
    assert pa.Table.from_batches(batches).sort_by("driver").equals(whole.to_arrow().combine_chunks().sort_by("driver"))
    wall = {name: time.replace(tzinfo=None) + 2 * HOUR for name, time in at.items()}
    local = client.as_of_entities("trips", (START + 2 * HOUR).replace(tzinfo=None), "eta", **wall, zone="Europe/Berlin")
    assert local["event_time"].to_pylist()[0] == START and len(local) == 1000
    with pytest.raises(whencedb.InputError, match="without a zone"):
        client.as_of_entities("trips", START.replace(tzinfo=None), "eta")
    for batch in client.as_of_entities_batches("trips", START, "eta", batch_rows=64):
        assert batch.num_rows <= 64
        break
    assert client.ping() > 0


def test_long_work_shows_a_bar(filled, client, driver, monkeypatch):
    bars = []

    class Recorded:
        def __init__(self, desc, total, **_):
            self.told, self.total, self.n, self.closed = desc, total, 0, False
            bars.append(self)

        def update(self, count):
            self.n += count

        def close(self):
            self.closed = True

    monkeypatch.setattr("tqdm.auto.tqdm", Recorded)
    at = {"start": START - HOUR, "end": START - HOUR}
    rows = {"driver": [driver], "speed": [1.0], "event_time": [now()]}
    spine = big_spine(3_000, 1000)
    work = [
        ("write trips", 1, 1, lambda each, **bar: each.write("trips", rows, **bar)),
        ("backfill shifts", None, 1, lambda each, **bar: each.backfill("shifts", {"driver": [driver], "hours": [1.0]}, START, **bar)),
        ("as_of eta", 3_000, 3_000, lambda each, **bar: each.as_of(spine, "eta", **bar)),
        ("as_of eta", 3_000, 3_000, lambda each, **bar: each.as_of_batches(spine, "eta", **bar)),
        ("as_of eta", None, 1_000, lambda each, **bar: each.as_of_entities("trips", START, "eta", **at, **bar)),
        ("as_of eta", None, 1_000, lambda each, **bar: each.as_of_entities_batches("trips", START, "eta", **at, **bar)),
        ("scan of trips", None, 1_000, lambda each, **bar: each.scan("trips", **at, **bar)),
        ("scan of trips", None, 1_000, lambda each, **bar: each.scan_batches("trips", **at, **bar)),
        ("compact shifts", None, None, lambda each, **bar: each.compact("shifts", **bar)),
        ("retain", None, None, lambda each, **bar: each.retain(["shifts"], horizon=START - 1000 * HOUR, dry_run=True, **bar)),
    ]

    def check(told, total, count):
        (bar,) = bars
        bars.clear()
        assert (bar.told, bar.closed) == (told, True)
        if count is not None:
            assert (bar.total, bar.n) == (total, count)

    for told, total, count, ask in work:
        done = ask(client, progress=True)
        list(done if hasattr(done, "__next__") else ())
        check(told, total, count)
        done = ask(client, progress=False)
        list(done if hasattr(done, "__next__") else ())
        assert not bars

    async def the_same():
        async with await whencedb.aio.connect(filled.address, retries=FAST, timeout=20) as other:
            for told, total, count, ask in work:
                done = ask(other, progress=True)
                if hasattr(done, "__anext__"):
                    async for _ in done:
                        pass
                else:
                    await done
                check(told, total, count)

    asyncio.run(the_same())


# Backfills, retries, upkeep


def test_a_backfill_of_a_generator(client):
    drivers = [next(_next_driver) for _ in range(5000)]

    def tables():
        for first in range(0, 5000, 1000):
            part = drivers[first : first + 1000]
            yield {"driver": part, "event_time": [START] * 1000, "hours": np.arange(first, first + 1000, dtype=np.float32)}

    committed = client.backfill("shifts", tables())
    assert committed.rows == 5000
    spine = {"driver": drivers, "event_time": [START + HOUR] * 5000}
    assert client.as_of(spine, "eta")["hours"].to_pylist() == list(range(5000))


def test_a_backfill_of_rows_that_differ(client, driver):
    """Nulls and absent features, a deletion, a retraction: what the embedded bulk path takes, this one does, too."""
    other = driver + 500_000
    rows = {
        "driver": [driver] * 4 + [other] * 2,
        "event_time": [START + number * HOUR for number in (0, 1, 2, 3)] + [START, START],
        "_kind": [None, "row", "deletion", "row", "row", "retraction"],
        "speed": [1.0, None, None, None, 5.0, None],
        "_carries.speed": [True, True, False, False, True, False],
        "car": ["a", None, None, "b", None, None],
    }
    client.backfill("trips", {name: values[:5] for name, values in rows.items()})
    client.backfill("trips", {name: values[5:] for name, values in rows.items()})
    told = [
        (version["kind"], version["carries"], version["speed"], version["car"])
        for version in client.history("trips", {"driver": driver}).to_arrow().to_pylist()
    ]
    assert told == [
        ("row", ["car"], None, "b"), ("deletion", [], None, None), ("row", ["speed"], None, None), ("row", ["speed", "car"], 1.0, "a")
    ]  # fmt: skip
    kinds_told = [version["kind"] for version in client.history("trips", {"driver": other}).to_arrow().to_pylist()]
    assert kinds_told == ["retraction", "row"]
    with pytest.raises(whencedb.InputError, match="a deletion carries no features"):
        client.write("trips", {"driver": [driver], "event_time": [START], "_kind": ["deletion"], "speed": [1.0]})


def test_the_same_key_is_one_write(client, driver):
    key = uuid.uuid4().hex
    rows = {"driver": [driver], "speed": [1.0], "event_time": [now()]}
    first, again = (client.write("trips", rows, idempotency_key=key) for _ in range(2))
    assert (first.is_repeat, again.is_repeat) == (False, True) and first.commit_time == again.commit_time
    assert len(client.history("trips", {"driver": driver})) == 1


def test_a_client_that_disappears_in_the_middle_of_a_write(server, client, driver):
    """Cut at a few places of the frame, and after it: repeated with the same key, it is one write."""
    described = client.describe(["trips.*"])
    rows = {"driver": [driver], "speed": [1.0], "event_time": [START]}
    key = uuid.uuid4().bytes
    options = calls.TableOptions()
    (call,) = Writing(described, "trips", rows, options, 0, key, 0).pieces(1 << 20)
    frame = b"".join(bytes(memoryview(part)) for part in frame_parts(kinds.WRITE, 1, call.encode(0)))
    for cut in (1, 16, 40, len(frame) - 1, len(frame), len(frame)):
        connection = Connection(client._settings)
        connection._socket.sendall(frame[:cut])
        connection._socket.shutdown(socket.SHUT_RDWR)
        connection.close()
    committed = client.write("trips", rows, idempotency_key=key)
    assert committed.rows == 1
    assert len(client.history("trips", {"driver": driver})) == 1


def test_upkeep(client, driver):
    client.write("trips", {"driver": [driver] * 3, "speed": [1.0, 2.0, 3.0], "event_time": [START, START + HOUR, START + 2 * HOUR]})
    assert "trips" in [view["name"] for view in client.stats()["views"]]
    assert client.compact("shifts")["view"] == "shifts"
    (dry,) = client.retain(["trips"], horizon=START - 1000 * HOUR, dry_run=True)
    assert dry["dry_run"] is True
    assert client.erase("driver", {"driver": driver}, dry_run=True)["dry_run"] is True
    assert len(client.history("trips", {"driver": driver})) == 3
    client.erase("driver", {"driver": driver})
    assert len(client.history("trips", {"driver": driver})) == 0


def test_asyncio_does_the_same(server, driver):
    async def work():
        async with await whencedb.aio.connect(server.address, retries=FAST, timeout=20) as client:
            await client.write("trips", {"driver": [driver], "speed": [4.0]}, now() - HOUR)
            answers = await asyncio.gather(*(client.get("eta", [driver]) for _ in range(100)))
            assert {answer["speed"][0] for answer in answers} == {4.0}
            spine = big_spine(50_000, 1000)
            joined, _ = await asyncio.gather(client.as_of(spine, "eta"), client.ping())
            assert len(joined) == 50_000
            assert len(await client.history("trips", {"driver": driver})) == 1
            at = {"start": now() - 2 * HOUR, "known_at": await client.ping()}
            scanned = [batch async for batch in client.scan_batches("trips", ["speed"], **at)]
            assert pa.Table.from_batches(scanned).equals((await client.scan("trips", ["speed"], **at)).to_arrow().combine_chunks())
            assert (await client.prepare("eta")).description.join_keys == {"driver": "int64"}
            assert (await client.backfill("shifts", {"driver": [driver], "hours": [1.0]}, START)).rows == 1
            async for batch in client.as_of_batches(spine, "eta"):
                assert batch.num_rows
                break
            assert await client.ping() > 0

    asyncio.run(asyncio.wait_for(work(), 60))


# A server of its own


def test_an_overloaded_server_says_so_and_is_asked_again(start):
    server = start("--limits-requests-per-connection", "1", "--limits-requests", "2", "--limits-pool-threads", "1")
    with server.connect(pool_size=16, retries=1) as client, server.connect(pool_size=16, timeout=60, retries=50) as patient:
        client.apply(DEFINITIONS)
        client.write("trips", {"driver": list(range(100)), "speed": np.arange(100.0)}, START)
        refused, done = [], []

        def work(each):
            try:
                each.as_of(big_spine(20_000, 100), "eta")
                done.append(1)
            except whencedb.Overloaded as error:
                refused.append(error)

        def all_at_once(each):
            threads = [threading.Thread(target=work, args=(each,)) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(120)

        all_at_once(client)
        assert refused and done, (len(refused), len(done))
        assert all(error.retryable for error in refused)
        done.clear(), refused.clear()
        all_at_once(patient)
        assert len(done) == 8 and not refused


def test_a_server_that_is_told_to_end(start):
    """What was acknowledged is there after, and what was not says so."""
    server = start()
    with server.connect(retries=1) as client:
        client.apply(DEFINITIONS)
        written, stopped = [], threading.Event()

        def work():
            number = 0
            try:
                while not stopped.is_set():
                    client.write("trips", {"driver": [number], "speed": [1.0]}, START)
                    written.append(number)
                    number += 1
            except (whencedb.ConnectionLost, whencedb.Overloaded):
                pass

        thread = threading.Thread(target=work)
        thread.start()
        time.sleep(0.3)
        # A join that is under way is answered to its end, with what is known to be in the store by its beginning.
        client.write("shifts", {"driver": list(range(1000)), "hours": [8.0] * 1000}, START)
        joined = client.as_of_batches(big_spine(300_000, 1000), "eta", batch_rows=4_096)
        rows = [next(joined).num_rows]
        ended: list[int] = []
        end = threading.Thread(target=lambda: ended.append(server.stop()))
        end.start()
        for batch in joined:
            rows.append(batch.num_rows)
            assert batch.column("hours").null_count == 0
        end.join(30)
        assert ended == [0] and sum(rows) == 300_000
        stopped.set()
        thread.join(30)
        assert written
    again = start()
    with again.connect() as client:
        spine = {"driver": written, "event_time": [START] * len(written)}
        assert client.as_of(spine, "eta")["speed"].null_count == 0
