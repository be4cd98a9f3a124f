"""The server beside Redis, Feast and DuckDB, on the same data, in one go (`make bench-serving`).

`serving.py WHENCE LOAD FEAST_PYTHON [NAME…]`: the binaries, the Python that has Feast, and the parts to run (all of them without
names). Prints one line a figure: `NAME WHENCE PEER RATIO`, ratio above 1 meaning that Whence is ahead; figures without a peer are
`NAME VALUE UNIT`. Runs of Whence and of its peer alternate. Everything is on loopback and ends by itself.
"""
import json
import os
import platform
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(__file__))

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import whencedb
from whencedb.wire import kinds, messages
from whencedb.wire.frames import frame_parts

import data

WHENCE, LOAD, FEAST_PYTHON = sys.argv[1:4]
PARTS = sys.argv[4:]
RUNS = int(os.environ.get("BENCH_RUNS", "3"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "4"))
ENTITIES, WIDE = 100_000, 20
NAMES = [f"f{i}" for i in range(data.FEATURES)]
DEFINITIONS = f"""
entities:
  - name: user
    join_keys: [{{ name: user_id, type: int64 }}]
views:
  - name: activity
    entity: user
    features: [{", ".join(f"{{ name: f{i}, type: float64 }}" for i in range(data.FEATURES))}]
  - name: wide
    entity: user
    features: [{", ".join(f"{{ name: f{i}, type: float64 }}" for i in range(WIDE))}]
  - name: written
    entity: user
    features: [{", ".join(f"{{ name: f{i}, type: float64 }}" for i in range(data.FEATURES))}]
services:
  - name: all
    features: [{{ view: activity, prefix: "" }}]
  - name: load
    features: [{{ view: wide, prefix: "" }}]
"""


def note(*words):
    print(*words, file=sys.stderr, flush=True)


def line(name, whence, peer, ratio):
    print(f"{name} {whence:.4f} {peer:.4f} {ratio:.2f}", flush=True)


def value(name, number, unit):
    print(f"{name} {number:.2f} {unit}", flush=True)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port, process, what):
    for _ in range(600):
        if process.poll() is not None:
            sys.exit(f"{what} ended with {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"{what} does not listen")


def resident_mb(pid, what="VmRSS"):
    with open(f"/proc/{pid}/status") as status:
        return next(int(l.split()[1]) for l in status if l.startswith(what)) / 1000


def real_time():
    """What gives a command a real-time priority; nothing where the system does not allow that."""
    prefix = ["chrt", "--rr", "1"]
    try:
        subprocess.run([*prefix, "true"], check=True, stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        return []
    return prefix


def load(server, port, prefix=(), **options):
    arguments = [*prefix, LOAD, server, "--port", str(port), "--seconds", str(options.pop("seconds", SECONDS))]
    for name, option in options.items():
        arguments += [f"--{name.replace('_', '-')}", str(option)]
    done = subprocess.run(arguments, stdout=subprocess.PIPE, text=True, timeout=300)
    if done.returncode:
        sys.exit(f"the load generator failed: {' '.join(arguments)}")
    return json.loads(done.stdout)


def feast(*arguments):
    out = subprocess.run([FEAST_PYTHON, os.path.join(os.path.dirname(__file__), "feast_side.py"), *map(str, arguments)],
                         check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=900).stdout
    return json.loads(out.strip().splitlines()[-1])


class Bench:
    def __init__(self, work):
        self.work = work
        self.port, self.redis_port = free_port(), free_port()
        self.redis = subprocess.Popen(["redis-server", "--port", str(self.redis_port), "--save", "", "--appendonly", "no"],
                                      cwd=work, stdout=subprocess.DEVNULL)
        wait_for(self.redis_port, self.redis, "redis-server")
        self.serve()
        self.client.apply(DEFINITIONS)
        self.history = data.history()
        self.parquet = f"{work}/history.parquet"
        pq.write_table(self.history, self.parquet, compression="zstd")

    def serve(self, *flags):
        """Starts the server of Whence."""
        self.server = subprocess.Popen(
            [WHENCE, "serve", "--data", f"{self.work}/store", "--listen", f"127.0.0.1:{self.port}", "--http-listen", "off",
             "--store-block-cache", "1024", *flags],
            stdout=open(f"{self.work}/serve.log", "a"), stderr=subprocess.STDOUT)
        wait_for(self.port, self.server, "whence serve")
        self.client = whencedb.connect(f"127.0.0.1:{self.port}")

    def end(self, process):
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def close(self):
        for process in (self.server, self.redis):
            self.end(process)

    def utc(self, table):
        """The same table with its event times said to be UTC."""
        place = table.schema.get_field_index("event_time")
        return table.set_column(place, "event_time", table["event_time"].cast(pa.timestamp("us", tz="UTC")))

    def fill(self):
        start = time.perf_counter()
        self.client.backfill("activity", self.utc(self.history))
        value("backfill_remote", self.history.num_rows / (time.perf_counter() - start) / 1e6, "Mrows/s")
        self.client.compact("activity")
        # 20 features of each entity, one version: the same values in Redis, as text.
        entity = np.arange(ENTITIES)
        columns = {"user_id": entity, "event_time": pa.array(np.full(ENTITIES, data.START), type=pa.timestamp("us", tz="UTC"))}
        for i in range(WIDE):
            columns[f"f{i}"] = (entity * 31 + i * 7) % 10_000 / 100
        self.wide = pa.table(columns)
        self.client.backfill("wide", self.wide)
        self.client.compact("wide")
        values = np.stack([columns[f"f{i}"] for i in range(WIDE)], axis=1)
        with socket.create_connection(("127.0.0.1", self.redis_port)) as s:
            for first in range(0, ENTITIES, 1000):
                out = []
                for e in range(first, first + 1000):
                    words = ["HSET", f"user:{e}"]
                    for i in range(WIDE):
                        words += [f"f{i}", repr(float(values[e, i]))]
                    out.append(f"*{len(words)}\r\n" + "".join(f"${len(w)}\r\n{w}\r\n" for w in words))
                s.sendall("".join(out).encode())
                answered = 0
                while answered < 1000:
                    answered += s.recv(65536).count(b"\r\n")

    # The parts.

    def online(self):
        batch, single = {"whence": [], "redis": []}, {"whence": [], "redis": []}
        for _ in range(RUNS):
            for server, port in (("whence", self.port), ("redis", self.redis_port)):
                batch[server].append(load(server, port, connections=8, depth=1, batch=100))
                single[server].append(load(server, port, connections=8, depth=1, batch=1))

        def best(runs, key, pick):
            return pick(r[key] for r in runs)

        rows = {s: best(batch[s], "requests_per_s", max) * 100 for s in batch}
        line("online_batch_vs_redis_rows_per_s", rows["whence"], rows["redis"], rows["whence"] / rows["redis"])
        rate = {s: best(single[s], "requests_per_s", max) for s in single}
        line("online_single_vs_redis_requests_per_s", rate["whence"], rate["redis"], rate["whence"] / rate["redis"])
        p99 = {s: best(single[s], "p99_us", min) for s in single}
        line("online_single_vs_redis_p99_us", p99["whence"], p99["redis"], p99["redis"] / p99["whence"])
        # At a rate that both can keep: half of what the slower one reached.
        half = min(rate.values()) / 2
        at_rate = {"whence": [], "redis": []}
        for _ in range(RUNS):
            for server, port in (("whence", self.port), ("redis", self.redis_port)):
                at_rate[server].append(load(server, port, connections=8, depth=4, batch=1, rate=half))
        p99 = {s: best(at_rate[s], "p99_us", min) for s in at_rate}
        line("online_single_vs_redis_open_loop_p99_us", p99["whence"], p99["redis"], p99["redis"] / p99["whence"])

    def feast(self):
        def ours(requests=1000, batch=100):
            service = self.client.prepare("all")
            times = []
            for request in range(requests + 50):
                entities = (request * batch + np.arange(batch)) * 7919 % 20_000
                start = time.perf_counter()
                service.read({"user_id": entities})
                times.append(time.perf_counter() - start)
            times = sorted(times[50:])
            return times[len(times) // 2]

        work = f"{self.work}/feast"
        os.makedirs(work, exist_ok=True)
        written = feast("write", work, self.parquet, self.redis_port, 20_000)
        online = min(ours() for _ in range(RUNS))
        theirs = min(feast("online", work, self.parquet, self.redis_port, 500, 100)["p50"] for _ in range(RUNS))
        line("online_vs_feast_p50_ms", online * 1e3, theirs * 1e3, theirs / online)

        table = self.utc(self.history.slice(0, 1_000_000))
        best = float("inf")
        for _ in range(RUNS):
            start = time.perf_counter()
            self.client.write("written", table)
            best = min(best, time.perf_counter() - start)
        rows, peer = table.num_rows / best, written["rows"] / written["seconds"]
        line("write_vs_feast_rows_per_s", rows, peer, rows / peer)

        spine = data.spine(100_000)
        pq.write_table(spine, f"{work}/spine.parquet")
        ours_s = min(self.timed_join(self.utc(spine))[0] for _ in range(RUNS))
        theirs_s = feast("join", work, self.parquet, self.redis_port, f"{work}/spine.parquet")["seconds"]
        line("join_remote_vs_feast_s", ours_s, theirs_s, theirs_s / ours_s)

    def timed_join(self, spine):
        start = time.perf_counter()
        table = self.client.as_of(spine, "all").to_arrow()
        return time.perf_counter() - start, table

    def join(self):
        spine = data.spine(1_000_000)
        connection = duckdb.connect()
        connection.execute("SET threads = 2")
        connection.execute("SET preserve_insertion_order = false")
        connection.execute("CREATE TEMP TABLE spine (user_id BIGINT, event_time TIMESTAMP)")
        connection.register("spine_arrow", spine)
        connection.execute("INSERT INTO spine SELECT user_id, event_time FROM spine_arrow")
        query = (f"SELECT s.user_id, s.event_time, {', '.join('h.' + n for n in NAMES)} FROM spine s "
                 f"ASOF LEFT JOIN read_parquet('{self.parquet}') h ON s.user_id = h.user_id AND s.event_time >= h.event_time")
        ours, theirs = float("inf"), float("inf")
        for round in range(RUNS + 1):
            seconds, table = self.timed_join(self.utc(spine))
            ours = min(ours, seconds)
            start = time.perf_counter()
            peer = connection.sql(query).to_arrow_table()
            theirs = min(theirs, time.perf_counter() - start)
            if round == 0:
                for name in NAMES:
                    if table[name].null_count != peer[name].null_count:
                        sys.exit(f"{name}: Whence and DuckDB do not find the same rows")
        connection.close()
        line("join_remote_vs_duckdb_s", ours, theirs, theirs / ours)

    def busy(self):
        """Reads at a fifth of what the server can do, alone and while a join and a backfill run: with the settings that are the default, and
        with event loops of a real-time priority."""
        # A generator that waits for a processor measures that, and not the server. It shares both of them with the clients of the bulk work, which
        # in practice are on other machines: where the system allows it, it does not wait for them.
        prefix = real_time()
        self.reads_while_busy("reads_while_busy_p99_us", prefix)
        if not prefix:
            return note("# the system gives no real-time priorities: the generator's own waits count, and there is no server with them")
        self.end(self.server)
        self.serve("--realtime-loops")
        self.reads_while_busy("reads_while_busy_realtime_p99_us", prefix)
        self.end(self.server)
        self.serve()

    def reads_while_busy(self, name, prefix):
        rate = load("whence", self.port, connections=8, depth=1, seconds=2)["requests_per_s"] / 5
        idle = min(load("whence", self.port, prefix, connections=8, depth=8, rate=rate)["p99_us"] for _ in range(RUNS))
        script = (
            "import sys, time; sys.path.insert(0, sys.argv[1]); import data, whencedb, pyarrow as pa\n"
            "def utc(t): return t.set_column(1, 'event_time', t['event_time'].cast(pa.timestamp('us', tz='UTC')))\n"
            "c = whencedb.connect(sys.argv[2]); t = utc(data.spine(1_000_000)) if sys.argv[3] == 'join' else utc(data.history(20_000))\n"
            "print('ready', flush=True)\n"
            "while True:\n"
            "    c.as_of(t, 'all').to_arrow() if sys.argv[3] == 'join' else c.backfill('written', t)\n"
            "    print('done', flush=True)\n")
        workers = [subprocess.Popen(["nice", "-n", "19", sys.executable, "-c", script, os.path.dirname(__file__), f"127.0.0.1:{self.port}", kind],
                                    stdout=subprocess.PIPE, text=True) for kind in ("join", "backfill")]
        for worker in workers:
            worker.stdout.readline()
        time.sleep(0.5)
        busy = min(load("whence", self.port, prefix, connections=8, depth=8, rate=rate, seconds=8)["p99_us"] for _ in range(RUNS))
        for worker in workers:
            worker.kill()
            done = worker.stdout.read().count("done")
            note(f"# while that ran: {done} {worker.args[-1]}s done")
        line(name, busy, idle, busy / idle)

    def connections(self, count=10_000):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        before = resident_mb(self.server.pid)
        hello = b"".join(frame_parts(kinds.HELLO, 0, messages.hello("idle")))
        sockets = []
        for _ in range(count):
            s = socket.create_connection(("127.0.0.1", self.port))
            s.sendall(hello)
            s.recv(4096)
            sockets.append(s)
        time.sleep(1)
        value("idle_connections_10k", resident_mb(self.server.pid) - before, "MB more")
        for s in sockets:
            s.close()

    def overload(self):
        """Three times what the server can do for 30 s: what it accepts stays fast, the rest is turned away."""
        # Answers are told by their headers: at three times the capacity decoding them all would take the generator's core, and its delays count.
        shape = dict(connections=16, batch=100, headers_only=1)
        capacity = max(load("whence", self.port, depth=8, **shape)["requests_per_s"] for _ in range(RUNS))
        calm = load("whence", self.port, depth=64, rate=0.8 * capacity, seconds=10, **shape)
        before = resident_mb(self.server.pid, "VmHWM")
        storm = load("whence", self.port, depth=64, rate=3 * capacity, seconds=30, **shape)
        note(f"# capacity {capacity:.0f} requests/s; at 3x: {storm['requests_per_s']:.0f} answered, {storm['shed_per_s']:.0f} turned away a second; "
             f"peak memory {before:.0f} -> {resident_mb(self.server.pid, 'VmHWM'):.0f} MB")
        line("overload_accepted_p99_us", storm["p99_us"], calm["p99_us"], storm["p99_us"] / calm["p99_us"])


def main():
    cpu = next((l.split(":", 1)[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.machine())
    redis = subprocess.run(["redis-server", "--version"], stdout=subprocess.PIPE, text=True).stdout.split()[2]
    note(f"# {cpu}, {os.cpu_count()} cores; redis {redis}, duckdb {duckdb.__version__}; best of {RUNS}")
    work = tempfile.mkdtemp(prefix="whence-serving-")
    bench = None
    try:
        bench = Bench(work)
        bench.fill()
        for part in PARTS or ["online", "feast", "join", "busy", "connections", "overload"]:
            getattr(bench, part)()
    finally:
        if bench:
            bench.close()
        shutil.rmtree(work, ignore_errors=True)


main()
