"""Whence beside DuckDB and Polars, on the same data, in one go (`make bench-peers`).

Prints one line a figure: `NAME WHENCE PEER RATIO`, ratio above 1 meaning that Whence is ahead; figures without a peer are
`NAME VALUE UNIT`. Each time is the best of several runs; the runs of Whence and of the peers alternate, so that a busy
moment of the machine meets both. What was measured on what goes to the standard error.
"""
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time

THREADS = 2
os.environ["POLARS_MAX_THREADS"] = str(THREADS)

import duckdb
import numpy as np
import polars as pl
import pyarrow.parquet as pq

sys.path.insert(0, os.path.dirname(__file__))
import data

FIGURES = sys.argv[1]
RUNS = int(os.environ.get("BENCH_RUNS", "5"))
SPINES = {"dense": 1_000_000, "sparse": 10_000}
COLUMNS = [f"f{i}" for i in range(data.FEATURES)]


def note(*words):
    print(*words, file=sys.stderr, flush=True)


def figures(*arguments):
    """Runs the Swift side and returns its lines."""
    out = subprocess.run([FIGURES, *map(str, arguments)], check=True, stdout=subprocess.PIPE, text=True).stdout
    return [json.loads(line) for line in out.splitlines()]


def timed(body):
    start = time.perf_counter()
    result = body()
    return time.perf_counter() - start, result


def check(table, expected, who):
    """The peers must find the same values."""
    arrays = [np.nan_to_num(np.asarray(table[c].to_numpy()).astype(np.float64), nan=0.0) for c in COLUMNS]
    found = sum(int(len(table[c]) - table[c].null_count) if hasattr(table[c], "null_count") and not callable(table[c].null_count)
                else int(len(table[c]) - table[c].null_count()) for c in COLUMNS)
    total = float(sum(a.sum() for a in arrays))
    if found != expected["found"] or abs(total - expected["sum"]) > 1e-6 * abs(expected["sum"]):
        sys.exit(f"{who} found {found} values of sum {total}, Whence {expected['found']} of {expected['sum']}")


def line(name, whence, peer):
    print(f"{name} {whence:.4f} {peer:.4f} {peer / whence:.2f}", flush=True)


def main():
    work = tempfile.mkdtemp(prefix="whence-peers-")
    try:
        run(work)
    finally:
        shutil.rmtree(work)


def run(work):
    cpu = next((l.split(":", 1)[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.machine())
    note(f"# {cpu}, {os.cpu_count()} cores; duckdb {duckdb.__version__}, polars {pl.__version__}; {THREADS} threads each, best of {RUNS}")
    history = data.history()
    parquet = f"{work}/history.parquet"
    pq.write_table(history, parquet, compression="zstd")
    note(f"# history: {history.num_rows} rows x {data.FEATURES} float64, Parquet zstd {os.path.getsize(parquet) / 1e6:.1f} MB")

    store = f"{work}/store"
    loaded = figures("load", store)[0]
    print(f"backfill {loaded['rows'] / loaded['backfill_s'] / 1e6:.3f} Mrows/s")
    line("stored_size_vs_parquet_x2", loaded["stored_bytes"] / 1e6, 2 * os.path.getsize(parquet) / 1e6)

    connection = duckdb.connect(f"{work}/history.duckdb")
    connection.execute(f"SET threads = {THREADS}")
    connection.execute("SET preserve_insertion_order = false")
    connection.execute(f"CREATE TABLE history AS SELECT * FROM read_parquet('{parquet}') ORDER BY user_id, event_time")
    connection.execute("CHECKPOINT")

    for kind, rows in SPINES.items():
        spine = data.spine(rows)
        connection.execute("DROP TABLE IF EXISTS spine")
        connection.execute("CREATE TEMP TABLE spine (user_id BIGINT, event_time TIMESTAMP)")
        connection.register("spine_arrow", spine)
        connection.execute("INSERT INTO spine SELECT user_id, event_time FROM spine_arrow")
        values = ", ".join(f"h.{c}" for c in COLUMNS)

        def asof(source):
            query = (f"SELECT s.user_id, s.event_time, {values} FROM spine s ASOF LEFT JOIN {source} h "
                     "ON s.user_id = h.user_id AND s.event_time >= h.event_time")
            return lambda: connection.sql(query).to_arrow_table()

        reduced = "(SELECT * FROM {} WHERE user_id IN (SELECT DISTINCT user_id FROM spine))"
        from_parquet = f"read_parquet('{parquet}')"
        peers = {
            "duckdb_parquet": asof(from_parquet if kind == "dense" else reduced.format(from_parquet)),
            "duckdb_table": asof("history" if kind == "dense" else reduced.format("history")),
        }
        if kind == "sparse":
            peers["duckdb_parquet_plain"] = asof(from_parquet)
            peers["duckdb_table_plain"] = asof("history")
        if kind == "dense":
            frame = pl.from_arrow(spine)
            peers["polars_parquet"] = lambda: frame.sort("event_time").join_asof(
                pl.read_parquet(parquet).sort("event_time"), on="event_time", by="user_id", check_sortedness=False)
            # The file is sorted by entity and time, which `by` with sorted groups needs not to be sorted again.
            peers["polars_parquet_grouped"] = lambda: frame.sort("user_id", "event_time").join_asof(
                pl.read_parquet(parquet), on="event_time", by="user_id", check_sortedness=False)
        best = {name: float("inf") for name in peers}
        whence, first, cold, expected = float("inf"), float("inf"), float("inf"), None
        for round in range(RUNS):
            # In a new process: from files, then from files and RocksDB's cache, and from the third on from images of the files.
            result = figures("join", store, rows, 5)
            cold = min(cold, result[0]["seconds"])
            whence = min(whence, *(r["seconds"] for r in result[1:]))
            plain = figures("join_plain", store, rows, 3)
            first = min(first, *(r["seconds"] for r in plain[1:]))
            expected = result[0]
            for name, body in peers.items():
                seconds, table = timed(body)
                best[name] = min(best[name], seconds)
                if round == 0:
                    check(table, expected, name)
        note("# " + kind, {name: round_(seconds) for name, seconds in best.items()}, "whence", round_(whence), "without images", round_(first), "in a new process", round_(cold))
        if kind == "dense":
            line("join_dense_vs_duckdb_parquet", whence, best["duckdb_parquet"])
            line("join_dense_vs_duckdb_table", whence, best["duckdb_table"])
            line("join_dense_vs_polars", whence, min(best["polars_parquet"], best["polars_parquet_grouped"]))
            line("join_dense_without_images_vs_duckdb_parquet", first, best["duckdb_parquet"])
            line("join_dense_cold_vs_duckdb_parquet", cold, best["duckdb_parquet"])
        else:
            line("join_sparse_vs_duckdb_parquet", whence, min(best["duckdb_parquet"], best["duckdb_parquet_plain"]))
            line("join_sparse_vs_duckdb_table", whence, min(best["duckdb_table"], best["duckdb_table_plain"]))
    connection.close()

    for result in figures("figures", store) + figures("threads", store) + figures("scan", store) + figures("uncached", store):
        print(f"{result['name']} {result['value']:.3f} {result['unit']}")
    write = figures("write", f"{work}/written")[0]
    print(f"{write['name']} {write['value']:.1f} {write['unit']}")
    memory = figures("memory", f"{work}/memory", 1_000_000)[0]
    print(f"{memory['name']} {memory['value']:.1f} {memory['unit']}")


def round_(seconds):
    return round(seconds, 4)


main()
