"""What a client knows of a request that is answered by a stream, or that uploads: credit of both directions, and what came so far."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from . import kinds, messages
from .frames import HEADER_BYTES, Frame
from .primitives import Payload, violation
from .types import WireSchema


class Stream:
    """An open request. It takes frames and says what to send; whoever has the socket does the rest."""

    def __init__(self, window: int, upload: Iterator[tuple[Payload, int]] | None, upload_credit: int) -> None:
        """`window`: the credit that the request stated. `upload`: payloads of `rows`, each with its number of rows."""
        self.window = window
        self.schema: WireSchema | None = None
        self.known_at: int | None = None
        self.rows = 0
        self.uploaded_rows = 0
        self.committed: messages.Committed | None = None
        self.progress: tuple[int, int, str] | None = None
        self.is_done = False
        self._upload = upload
        self._upload_credit = upload_credit
        self._owed = 0

    def feed(self, frame: Frame) -> pa.RecordBatch | None:
        """Takes a frame of this request. Throws the server's error, which ends the stream; the caller sends `credit_due` after."""
        kind = frame.kind
        if kind == kinds.ROWS:
            if self.schema is None:
                raise violation("rows came before their schema")
            batch = messages.read_rows(frame, self.schema)
            self.rows += batch.num_rows
            self._owed += frame.wire_bytes
            return batch
        if kind == kinds.SCHEMA:
            if self.schema is not None:
                raise violation("a stream has a second schema")
            self.known_at, self.schema = messages.read_schema(frame.payload)
        elif kind == kinds.END:
            rows = messages.read_number(frame.payload, 8)
            if self.schema is None or rows != self.rows:
                raise violation(f"a stream of {rows} rows brought {self.rows}")
            self.is_done = True
        elif kind == kinds.COMMITTED:
            self.committed = messages.Committed.read(frame.payload)
            self.is_done = True
        elif kind == kinds.CREDIT:
            self._upload_credit += messages.read_number(frame.payload, 4)
            if self._upload_credit > messages.MOST_CREDIT:
                raise violation("the server gave more credit than there may be")
        elif kind == kinds.PROGRESS:
            self.progress = messages.read_progress(frame.payload)
        elif kind == kinds.ERROR:
            self.is_done = True
            raise messages.read_error(frame.payload)
        else:
            raise violation(f"a message of kind {kind} in a stream")
        return None

    def credit_due(self) -> int:
        """The credit to give now, after batches were taken; 0 until it is worth a frame."""
        if self.is_done or self._owed * 2 < self.window:
            return 0
        due, self._owed = min(self._owed, 0xFFFF_FFFF), 0
        return due

    def next_upload(self) -> tuple[int, Payload] | None:
        """The next message of the upload; None while the server has to give credit first, and after the end."""
        if self._upload is None or self.is_done or self._upload_credit <= 0:
            return None
        piece = next(self._upload, None)
        if piece is None:
            self._upload = None
            return kinds.END_TO_SERVER, Payload().u64(self.uploaded_rows)
        payload, rows = piece
        self.uploaded_rows += rows
        self._upload_credit -= HEADER_BYTES + payload.size
        return kinds.ROWS_TO_SERVER, payload
