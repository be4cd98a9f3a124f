"""How the cost of a read grows with the store (`make bench-scale`): 1 M, 10 M and 100 M rows, one entity with 5 M versions, and a join
whose spine is far longer than its memory.

Prints `NAME VALUE UNIT` lines, and for each tenfold `NAME_growth RATIO x`. Two sizes that are compared are both there and measured in turns, each
figure the best of its rounds: what disturbs the machine for a while disturbs both, and no one round decides. Needs about 15 GB of disk and some
minutes.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

FIGURES = sys.argv[1]
ROUNDS = int(os.environ.get("BENCH_SCALE_ROUNDS", "3"))
LONG = int(os.environ.get("BENCH_LONG", "50000000"))
SIZES = [int(size) for size in os.environ.get("BENCH_SCALE", "20000,200000,2000000").split(",")]


def figures(*arguments):
    out = subprocess.run([FIGURES, *map(str, arguments)], check=True, stdout=subprocess.PIPE, text=True).stdout
    return [json.loads(line) for line in out.splitlines()][-1]


class History:
    """A store of so many entities and versions, and the best that was seen of it."""

    def __init__(self, work, entities, versions):
        self.store, self.shape, self.best = f"{work}/store-{entities}-{versions}", (entities, versions), {}
        figures("load", self.store, *self.shape)

    def measure(self):
        for name, value in figures("scale", self.store, *self.shape).items():
            self.best[name] = min(value, self.best.get(name, value))

    def remove(self):
        shutil.rmtree(self.store)


def in_turns(*histories):
    for _ in range(ROUNDS):
        for history in histories:
            history.measure()


work = tempfile.mkdtemp(prefix="whence-scale-")
try:
    names = ["latest_us", "asof_us", "join_100k_ms", "join_100k_again_ms", "join_100k_of_20k_entities_ms", "join_100k_of_20k_entities_again_ms"]
    small = History(work, SIZES[0], 50)
    for entities in SIZES[1:]:
        large = History(work, entities, 50)
        in_turns(small, large)
        at = [f"{history.best['rows'] // 1_000_000}M" for history in (small, large)]
        # The second time beside another: measured anew, so that both sides of a ratio are of the same minutes.
        beside = "" if entities == SIZES[1] else f"_beside_{at[1]}"
        for name in names:
            unit = name.rsplit("_", 1)[1]
            print(f"{name}_at_{at[0]}{beside} {small.best[name]:.3f} {unit}")
            print(f"{name}_at_{at[1]} {large.best[name]:.3f} {unit}")
            print(f"{name}_growth {large.best[name] / small.best[name]:.2f} x", flush=True)
        small.remove()
        small, large.best = large, {}
    small.remove()
    # A spine of 50 M rows on a history of 10 M, with 256 MiB for the join: through temporary files, and block by block.
    store = f"{work}/store-long"
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
    few, many = History(work, 100_000, 50), History(work, 1, 5_000_000)
    in_turns(few, many)
    for name in ["latest_us", "asof_us"]:
        print(f"{name}_entities_of_50_versions {few.best[name]:.3f} us")
        print(f"{name}_one_entity_5M_versions {many.best[name]:.3f} us")
        print(f"{name}_one_entity_growth {many.best[name] / few.best[name]:.2f} x", flush=True)
finally:
    shutil.rmtree(work)
