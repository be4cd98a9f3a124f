"""Writes of a table: one after the other, each a commit of its own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

from . import tables
from .calls import Call, Description, TableOptions, rows_for, whole, write_call
from .errors import InputError, WhenceError
from .wire import messages
from .wire.messages import Committed

WRITE_ROWS = 65_536
WRITE_BYTES = 8 << 20
#: What the numbers of a piece's rows leave of an idempotency key.
LONGEST_KEY = messages.LONGEST_KEY - 40


class Writing:
    """A table on its way into a view. Everything is checked before the first write is made.

    Each write has its own idempotency key: the given one, or a new one, and the rows that it holds. So a repeat of one of them is one write,
    also where another time the table was cut elsewhere.
    """

    def __init__(
        self, view: Description, name: str, table: Any, options: TableOptions, action: int, key: str | bytes | None, batch_rows: int
    ) -> None:
        self._name, self._options, self._action, self._batch_rows = name, options, action, batch_rows
        whole(batch_rows, "batch_rows")
        self._rows, self._schema = rows_for(view, name, table, options, action)
        self._key = uuid.uuid4().bytes if key is None else key.encode() if isinstance(key, str) else key
        if not isinstance(self._key, bytes) or not 0 < len(self._key) <= LONGEST_KEY:
            raise InputError(f"an idempotency key has 1 to {LONGEST_KEY} bytes", place="idempotency_key")
        self._last: Committed | None = None
        self._done, self._repeats = 0, True

    @property
    def total(self) -> int:
        """All rows."""
        return self._rows.num_rows

    def pieces(self, longest: int) -> Iterator[Call[Committed]]:
        """The writes, for a server that takes payloads of `longest` bytes; say `committed` of each before the next is asked for."""
        event_time = self._options.event_time if isinstance(self._options.event_time, str) else "event_time"
        available_at, missing_is_null = self._options.available_at or "", self._options.missing_is_null
        # Beside the values there are names, lengths, and padding of each buffer.
        head = 1024 + sum(128 + 2 * len(name.encode()) for name in self._schema.names)
        most = min(self._batch_rows or WRITE_ROWS, tables.rows_of_bytes(self._rows, min(WRITE_BYTES, longest - head)))
        first = 0
        for batch in tables.batches(self._rows, most):
            for piece in tables.fitting(batch, most, longest - head):
                part = messages.Part(self._name, self._action, missing_is_null, event_time, available_at, self._schema, piece.columns)
                yield write_call(self._key + b"/%d+%d" % (first, piece.num_rows), [part])
                first += piece.num_rows

    def committed(self, piece: Committed) -> None:
        self._last = piece
        self._done += piece.rows
        self._repeats = self._repeats and piece.is_repeat

    def failed(self, error: WhenceError) -> WhenceError:
        """The same error, which says what was written before."""
        if self._done:
            error.place = f"{error.place}, after {self._done:,} of {self.total:,} rows were committed".lstrip(", ")
        return error

    def result(self) -> Committed:
        """The last commit, with the rows of all of them."""
        if self._last is None:
            raise InputError("the table has no rows", place=f"view '{self._name}'")
        return Committed(self._last.commit_time, self._repeats, self._done)
