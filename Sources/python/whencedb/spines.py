"""The answer of a join beside the spine that stayed here."""

from __future__ import annotations

from collections.abc import Collection, Generator
from contextlib import closing

import pyarrow as pa

from .results import Result
from .tables import one_chunk
from .wire.primitives import violation
from .wire.streams import Stream
from .wire.types import WireSchema


class Columns:
    """What is known of a stream once it has begun: its schema, its pin, and which of its columns the caller has already."""

    def __init__(self, name: str, sent: Collection[str] = ()) -> None:
        self.name = name
        self.sent = frozenset(sent)
        self.schema = WireSchema(())
        self.known_at: int | None = None

    def start(self, stream: Stream) -> None:
        if stream.schema is not None:
            self.schema, self.known_at = stream.schema, stream.known_at

    @property
    def new(self) -> list[str]:
        """The columns that the answer adds to the spine."""
        return [name for name in self.schema.names if name not in self.sent]


def result_of(columns: Columns, batches: list[pa.RecordBatch], spine: pa.Table | None) -> Result:
    """The batches as one table, behind the spine where there is one. Nothing is copied."""
    table = pa.Table.from_batches(batches, schema=columns.schema.arrow)
    if spine is not None:
        if table.num_rows != spine.num_rows:
            raise violation(f"a join of {spine.num_rows} rows was answered with {table.num_rows}")
        table = pa.Table.from_arrays([*spine.columns, *(table.column(name) for name in columns.new)], schema=_beside(spine, columns))
    return Result(table, columns.known_at, columns.name)


def with_spine(columns: Columns, batches: Generator[pa.RecordBatch, None, None], spine: pa.Table) -> Generator[pa.RecordBatch, None, None]:
    """Each batch behind its rows of the spine."""
    done = 0
    with closing(batches):
        for batch in batches:
            yield with_spine_rows(columns, batch, spine, done)
            done += batch.num_rows


def with_spine_rows(columns: Columns, batch: pa.RecordBatch, spine: pa.Table, first: int) -> pa.RecordBatch:
    """A batch behind the rows of the spine from `first` on."""
    part = spine.slice(first, batch.num_rows)
    if part.num_rows != batch.num_rows:
        raise violation(f"a join of {spine.num_rows} rows was answered with more")
    arrays = [*(one_chunk(column) for column in part.columns), *(batch.column(name) for name in columns.new)]
    return pa.RecordBatch.from_arrays(arrays, schema=_beside(spine, columns))


def _beside(spine: pa.Table, columns: Columns) -> pa.Schema:
    """The fields of the spine as they are, with what a library says of its own types beside them, and those of the answer."""
    answered = columns.schema.arrow
    return pa.schema([*spine.schema, *(answered.field(name) for name in columns.new)])
