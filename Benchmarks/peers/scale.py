"""How the cost of a read grows with the store (`make bench-scale`): 1 M, 10 M and 100 M rows, one entity with 5 M versions, and a join
whose spine is far longer than its memory.

Prints `NAME VALUE UNIT` lines, and for each tenfold `NAME_growth RATIO x`. Needs about 15 GB of disk and some minutes.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

FIGURES = sys.argv[1]
LONG = int(os.environ.get("BENCH_LONG", "50000000"))
SIZES = [int(size) for size in os.environ.get("BENCH_SCALE", "20000,200000,2000000").split(",")]


def figures(*arguments):
    out = subprocess.run([FIGURES, *map(str, arguments)], check=True, stdout=subprocess.PIPE, text=True).stdout
    return [json.loads(line) for line in out.splitlines()][-1]


def measured(work, entities, versions):
    store = f"{work}/store"
    try:
        figures("load", store, entities, versions)
        return figures("scale", store, entities, versions)
    finally:
        shutil.rmtree(store, ignore_errors=True)


work = tempfile.mkdtemp(prefix="whence-scale-")
try:
    before = None
    for entities in SIZES:
        now = measured(work, entities, 50)
        for name in ["latest_us", "asof_us", "join_100k_ms", "join_100k_again_ms"]:
            print(f"{name}_at_{now['rows'] // 1_000_000}M {now[name]:.3f}", name.rsplit("_", 1)[1], flush=True)
            if before:
                print(f"{name}_growth {now[name] / before[name]:.2f} x", flush=True)
        before = now
    # A spine of 50 M rows on a history of 10 M, with 256 MiB for the join: through temporary files, and block by block.
    store = f"{work}/store"
    figures("load", store, 200_000, 50)
    spilled = figures("long", store, LONG, 200_000, 50)
    blocks = figures("long", store, LONG, 200_000, 50, "blocks")
    shutil.rmtree(store)
    if (spilled["found"], spilled["rows"]) != (blocks["found"], blocks["rows"]):
        sys.exit(f"the two ways of a long join differ: {spilled} {blocks}")
    label = f"long_join_{LONG // 1_000_000}M"
    print(f"{label}_spilled {spilled['seconds']:.1f} s")
    print(f"{label}_spilled_cpu {spilled['cpu']:.1f} s")
    print(f"{label}_in_blocks {blocks['seconds']:.1f} s")
    print(f"{label}_in_blocks_cpu {blocks['cpu']:.1f} s")
    print(f"{label}_spilled_bytes {spilled['spilled_gb']:.2f} GB")
    print(f"{label}_peak_memory {spilled['peak_mb']:.0f} MB")
    print(f"{label}_peak_memory_over_budgets {spilled['peak_mb'] - spilled['budget_mb']:.0f} MB", flush=True)
    # The same number of rows: entities of 50 versions, and one of them all.
    few = measured(work, 100_000, 50)
    many = measured(work, 1, 5_000_000)
    for name in ["latest_us", "asof_us"]:
        print(f"{name}_entities_of_50_versions {few[name]:.3f} us")
        print(f"{name}_one_entity_5M_versions {many[name]:.3f} us")
        print(f"{name}_one_entity_growth {many[name] / few[name]:.2f} x", flush=True)
finally:
    shutil.rmtree(work)
