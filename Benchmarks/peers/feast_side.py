"""Feast's side of `make bench-serving`: `feast_side.py join|write|online DIR …`, one line of JSON a result.

Its best documented configuration: the online store is Redis with the hiredis parser, the registry is read once and kept, the
offline store is dask on the Parquet file that DuckDB reads too, and telemetry is off.
"""
import json
import os
import sys
import time

os.environ["FEAST_USAGE"] = "False"

import warnings

warnings.filterwarnings("ignore")

import pandas as pd
import pyarrow.parquet as pq
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.types import Float64

sys.path.insert(0, os.path.dirname(__file__))
import data

NAMES = [f"f{i}" for i in range(data.FEATURES)]
REFS = [f"activity:{name}" for name in NAMES]


def open_store(work, parquet, port):
    config = RepoConfig(
        project="whence", provider="local", registry=f"{work}/registry.db",
        online_store={"type": "redis", "connection_string": f"localhost:{port}"},
        offline_store={"type": "dask"}, entity_key_serialization_version=3)
    store = FeatureStore(config=config)
    user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.INT64)
    view = FeatureView(
        name="activity", entities=[user], ttl=None, schema=[Field(name=n, dtype=Float64) for n in NAMES],
        source=FileSource(path=parquet, timestamp_field="event_time"))
    store.apply([user, view])
    return store


def say(**fields):
    print(json.dumps(fields), flush=True)


def main():
    command, work, parquet, port = sys.argv[1:5]
    store = open_store(work, parquet, port)
    if command == "join":
        spine = pq.read_table(sys.argv[5]).to_pandas()
        spine["event_time"] = spine["event_time"].dt.tz_localize("UTC")
        start = time.perf_counter()
        frame = store.get_historical_features(entity_df=spine, features=REFS).to_df()
        say(seconds=time.perf_counter() - start, rows=len(frame), found=int(frame[NAMES].notna().sum().sum()))
    elif command == "write":
        rows = int(sys.argv[5])
        frame = latest(parquet, rows)
        best = float("inf")
        for _ in range(3):
            start = time.perf_counter()
            store.write_to_online_store("activity", frame)
            best = min(best, time.perf_counter() - start)
        say(seconds=best, rows=rows)
    elif command == "online":
        requests, batch = int(sys.argv[5]), int(sys.argv[6])
        times = []
        for request in range(requests + 50):
            entities = [{"user_id": (request * batch + i) * 7919 % 20_000} for i in range(batch)]
            start = time.perf_counter()
            answer = store.get_online_features(features=REFS, entity_rows=entities).to_dict()
            if request >= 50:
                times.append(time.perf_counter() - start)
            if any(value is None for value in answer["f0"]):
                sys.exit("Feast has no value for an entity that was written")
        times.sort()
        say(p50=times[len(times) // 2], p99=times[len(times) * 99 // 100])


def latest(parquet, rows):
    """The newest version of the first `rows` entities."""
    table = pq.read_table(parquet, filters=[("user_id", "<", rows)]).to_pandas()
    frame = table.groupby("user_id", as_index=False).last()
    frame["event_time"] = pd.to_datetime(frame["event_time"]).dt.tz_localize("UTC")
    return frame


main()
