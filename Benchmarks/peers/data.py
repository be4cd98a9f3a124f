"""The made-up history of `Sources/Workload/History.swift`, made again with numpy: the same rows to the bit."""
import numpy as np
import pyarrow as pa

FEATURES = 8
START = 1_704_067_200_000_000
STEP = 3_600_000_000


def mix(value):
    """SplitMix64's finalizer."""
    with np.errstate(over="ignore"):
        z = value.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def history(entities=100_000, versions=50):
    """A table sorted by entity and event time."""
    entity = np.repeat(np.arange(entities, dtype=np.uint64), versions)
    version = np.tile(np.arange(versions, dtype=np.uint64), entities)
    offset = (mix(entity) % np.uint64(3_600_000)).astype(np.int64) * 1000
    columns = {
        "user_id": entity.astype(np.int64),
        "event_time": pa.array(START + version.astype(np.int64) * STEP + offset, type=pa.timestamp("us")),
    }
    for feature in range(FEATURES):
        place = entity << np.uint64(24) | version << np.uint64(4) | np.uint64(feature)
        columns[f"f{feature}"] = (mix(place) % np.uint64(10_000)).astype(np.float64) / 100
    return pa.table(columns)


def spine(rows, entities=100_000, versions=50, seed=7):
    """Entities and instants at random."""
    row = np.arange(rows, dtype=np.uint64)
    base = np.uint64(seed << 40)
    a = mix(base | row << np.uint64(1))
    b = mix(base | row << np.uint64(1) | np.uint64(1))
    hour = (b % np.uint64(versions + 1)).astype(np.int64)
    within = (b >> np.uint64(32) & np.uint64(0xFFFFFFFF)).astype(np.int64) % STEP
    return pa.table({
        "user_id": (a % np.uint64(entities)).astype(np.int64),
        "event_time": pa.array(START + hour * STEP + within, type=pa.timestamp("us")),
    })
