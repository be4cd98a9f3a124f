"""What the answers must be, computed in pandas and numpy from the meaning of a read (docs/semantics.md), and nothing else.

Three ways, each written apart from the others:

- `plain`: a point-in-time join by pandas' own `merge_asof`;
- `as_served`: which version answers depends on each row's own T, so all rows walk back through the versions at once, in
  numpy, each until it meets a version that was available;
- `literal`: the definition, word for word, for one entity at a time; run over a sample of every join.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
import pyarrow as pa

HOUR = 3_600_000_000
DAY = 24 * HOUR
KINDS = ["row", "deletion", "retraction"]
DELETION, RETRACTION = 1, 2


@dataclass(frozen=True)
class Selection:
    """What the service `arrival_delay` reads of one view; said again here, not read from the definitions."""

    view: str
    columns: tuple  # of the spine, one for each join key
    prefix: str
    ttl: int | None


SELECTIONS = [
    Selection("weather", ("origin",), "weather_", 3 * HOUR),
    Selection("planes", ("tailnum",), "plane_", None),
    Selection("plane_outcomes", ("tailnum",), "inbound_", 2 * DAY),
    Selection("carrier_outcomes", ("carrier", "origin"), "carrier_", None),
    Selection("flight_outcomes", ("carrier", "flight", "origin"), "earlier_", 8 * DAY),
]


class Versions:
    """All that was written to one view up to a phase, a row a version, in the order in which it was written."""

    def __init__(self, writes, view):
        writes = [w for w in writes if w.view == view]
        self.features = writes[0].features
        self.keys = writes[0].keys
        self.entity = pd.concat([pd.DataFrame({k: w.table[k].to_pandas() for k in w.keys}) for w in writes], ignore_index=True)
        self.event = np.concatenate([w.event for w in writes])
        self.available = np.concatenate([w.available for w in writes])
        self.commit = np.concatenate([np.full(w.rows, i) for i, w in enumerate(writes)])
        self.phase = np.concatenate([np.full(w.rows, w.phase) for w in writes])
        self.kind = np.concatenate([np.full(w.rows, KINDS.index(w.kind), dtype=np.int8) for w in writes])
        self.carries = {f: np.concatenate([np.full(w.rows, f in w.features) for w in writes]) for f in self.features}
        self.values = {}
        for feature in self.features:
            type = writes[0].table.schema.field(feature).type
            parts = [
                w.table[feature].combine_chunks().cast(type) if feature in w.features else pa.nulls(w.rows, type) for w in writes]
            self.values[feature] = pa.chunked_array(parts, type=type).combine_chunks()

    def classes(self, phase):
        """The features, those together that the same versions carry; with each class the versions known in `phase` that
        carry them, and the deletions, which answer for all features."""
        known = self.phase <= phase
        together = {}
        for feature in self.features:
            mask = (self.carries[feature] | (self.kind == DELETION)) & known
            together.setdefault(mask.tobytes(), (mask, []))[1].append(feature)
        return [(np.flatnonzero(mask), features) for mask, features in together.values()]


class Reference:
    def __init__(self, writes, spine):
        self.spine = spine
        self.frame = spine.table.to_pandas()
        self.versions = {s.view: Versions(writes, s.view) for s in SELECTIONS}

    def join(self, phase, as_served):
        """The expected columns: name -> (Arrow array, row numbers of the versions that answer; -1 for none)."""
        columns = {}
        for selection in SELECTIONS:
            versions = self.versions[selection.view]
            entities = self.entity_numbers(versions, selection)
            for rows, features in versions.classes(phase):
                pick = (self.as_served if as_served else self.plain)(versions, selection, phase, rows, *entities)
                # A deletion that answers says that there is nothing.
                pick = np.where((pick >= 0) & (versions.kind[pick] == DELETION), -1, pick)
                indices = pa.array(pick, mask=pick < 0)
                for feature in features:
                    columns[selection.prefix + feature] = (versions.values[feature].take(indices), pick)
        order = [s.prefix + f for s in SELECTIONS for f in self.versions[s.view].features]
        return {name: columns[name] for name in order}

    @cache
    def entity_numbers(self, versions, selection):
        """The same number for the same entity, in the versions and in the spine; -1 in the spine where it has no version."""
        stored = versions.entity.itertuples(index=False, name=None)
        numbers = {}
        left = np.fromiter((numbers.setdefault(e, len(numbers)) for e in stored), dtype=np.int64, count=len(versions.event))
        asked = self.frame[list(selection.columns)].itertuples(index=False, name=None)
        right = np.fromiter((numbers.get(e, -1) for e in asked), dtype=np.int64, count=len(self.frame))
        return left, right

    def retractions(self, versions, phase, stored):
        """For each version: the commit and the availability of the retraction of its entity and event time, -1 where none
        is known. No event time is retracted twice here."""
        at = np.flatnonzero((versions.kind == RETRACTION) & (versions.phase <= phase))
        found = pd.DataFrame({"entity": stored, "event": versions.event}).merge(
            pd.DataFrame({"entity": stored[at], "event": versions.event[at], "commit": versions.commit[at],
                          "available": versions.available[at]}), on=["entity", "event"], how="left", validate="many_to_one")
        return (found[c].fillna(-1).to_numpy(dtype=np.int64) for c in ["commit", "available"])

    def plain(self, versions, selection, phase, rows, stored, asked):
        """merge_asof over the versions in `rows`."""
        retracted, _ = self.retractions(versions, phase, stored)
        rows = rows[retracted[rows] <= versions.commit[rows]]
        right = pd.DataFrame({"entity": stored[rows], "event": versions.event[rows], "commit": versions.commit[rows], "row": rows})
        # Of one event time the last commit counts, and within a commit the row that stands last.
        right = right.sort_values(["event", "commit", "row"], kind="stable").drop_duplicates(["entity", "event"], keep="last")
        left = pd.DataFrame({"entity": asked, "event": self.spine.time, "at": np.arange(len(asked))}).sort_values("event", kind="stable")
        joined = pd.merge_asof(left, right[["entity", "event", "row"]], on="event", by="entity", direction="backward", tolerance=selection.ttl)
        pick = np.full(len(asked), -1, dtype=np.int64)
        pick[joined["at"].to_numpy()] = joined["row"].fillna(-1).to_numpy(dtype=np.int64)
        return pick

    def as_served(self, versions, selection, phase, rows, stored, asked):
        """Every spine row starts at the last version at or before its T, and all step back together."""
        # Rows of one commit, entity and event time are one version: the last of them.
        table = pd.DataFrame({"entity": stored[rows], "event": versions.event[rows], "commit": versions.commit[rows], "row": rows})
        table = table.drop_duplicates(["entity", "event", "commit"], keep="last").sort_values(["entity", "event", "commit"])
        entity, event, row = (table[c].to_numpy() for c in ["entity", "event", "row"])
        available = versions.available[row]
        commit, visible = self.retractions(versions, phase, stored)
        retracted = np.where(commit > versions.commit, visible, np.iinfo(np.int64).max)[row]
        # Position of the last version with (entity, event) <= (asked, T): ranks of a lexicographic order, merged.
        T = self.spine.time
        order = np.lexsort((np.r_[np.zeros(len(entity)), np.ones(len(asked))], np.r_[event, T], np.r_[entity, asked]))
        is_version = order < len(entity)
        before = np.cumsum(is_version) - 1
        at = np.empty(len(asked), dtype=np.int64)
        at[order[~is_version] - len(entity)] = before[~is_version]
        ttl = np.iinfo(np.int64).max if selection.ttl is None else selection.ttl
        pick = np.full(len(asked), -1, dtype=np.int64)
        walking = np.flatnonzero(asked >= 0)
        while len(walking):
            p = at[walking]
            alive = (p >= 0) & (entity[p] == asked[walking]) & (T[walking] - event[p] <= ttl)
            walking, p = walking[alive], p[alive]
            met = (available[p] <= T[walking]) & (retracted[p] > T[walking])
            pick[walking[met]] = row[p[met]]
            walking = walking[~met]
            at[walking] -= 1
        return pick

    def literal(self, spine_row, selection, feature, phase, as_served):
        """The definition for one row of the spine and one feature: the row number of the version, or -1."""
        versions = self.versions[selection.view]
        T = self.spine.time[spine_row]
        rows = self.rows_of(selection.view).get(tuple(self.frame[list(selection.columns)].iloc[spine_row]))
        if rows is None:
            return -1
        visible = (versions.phase[rows] <= phase) & (versions.event[rows] <= T)
        if as_served:
            visible &= versions.available[rows] <= T
        rows = rows[visible]
        for retraction in rows[versions.kind[rows] == RETRACTION]:
            earlier = versions.commit[rows] <= versions.commit[retraction]
            rows = rows[(versions.event[rows] != versions.event[retraction]) | ~earlier]
        rows = rows[versions.carries[feature][rows] | (versions.kind[rows] == DELETION)]
        # Greatest event time, then greatest commit time, then the later row of the batch.
        rows = rows[versions.event[rows] == versions.event[rows].max(initial=0)]
        rows = rows[versions.commit[rows] == versions.commit[rows].max(initial=0)]
        if len(rows) == 0 or (selection.ttl is not None and T - versions.event[rows[-1]] > selection.ttl):
            return -1
        return -1 if versions.kind[rows.max()] == DELETION else rows.max()

    def rows_of(self, view):
        if not hasattr(self, "_rows_of"):
            self._rows_of = {}
        if view not in self._rows_of:
            rows = {}
            for i, entity in enumerate(self.versions[view].entity.itertuples(index=False, name=None)):
                rows.setdefault(entity, []).append(i)
            self._rows_of[view] = {entity: np.array(list) for entity, list in rows.items()}
        return self._rows_of[view]

    def check_sample(self, expected, phase, as_served, count, seed):
        """Compares a join of this reference with the literal definition, over a sample; returns how many values agreed."""
        sample = np.random.default_rng(seed).choice(len(self.frame), count, replace=False)
        agreed = 0
        for selection in SELECTIONS:
            for feature in self.versions[selection.view].features:
                pick = expected[selection.prefix + feature][1]
                for spine_row in sample:
                    literal = self.literal(spine_row, selection, feature, phase, as_served)
                    if literal != pick[spine_row]:
                        raise AssertionError(
                            f"the reference contradicts itself: {selection.view}.{feature}, spine row {spine_row}, phase {phase}, "
                            f"as_served {as_served}: version {pick[spine_row]} against {literal}")
                    agreed += 1
        return agreed


def same(a, b):
    """A mask of the rows in which two Arrow arrays of one type hold the same value, to the last bit, or both hold none."""
    def parts(x):
        x = x.combine_chunks() if isinstance(x, pa.ChunkedArray) else x
        valid = np.asarray(x.is_valid())
        if pa.types.is_string(x.type):
            values = x.fill_null("").to_numpy(zero_copy_only=False)
        elif pa.types.is_boolean(x.type):
            values = x.fill_null(False).to_numpy(zero_copy_only=False)
        elif pa.types.is_timestamp(x.type):
            values = x.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
        else:
            values = x.fill_null(0).to_numpy(zero_copy_only=False)
            if values.dtype.kind == "f":
                values = np.ascontiguousarray(values).view(f"i{values.dtype.itemsize}")
        return valid, values

    (valid_a, a), (valid_b, b) = parts(a), parts(b)
    return (valid_a == valid_b) & (~valid_a | (a == b))
