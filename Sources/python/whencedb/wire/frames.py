"""Frames: the header, the checksum, and how received bytes become frames without being copied about."""

from __future__ import annotations

import struct
from typing import Any

import google_crc32c
import numpy as np
import pyarrow as pa

from . import kinds
from .primitives import Payload, violation

HEADER = struct.Struct("<IIBBHI")
HEADER_BYTES = HEADER.size
LONGEST_OPENING = 65_536
LONGEST_PAYLOAD = 67_108_864
COMPRESSED = 1

_CHECKED = struct.Struct("<BBHI")
_LENGTHS = struct.Struct("<II")
# What is read ahead. Answers of this size come with one call of the system and are copied out once, which costs less than a second call.
_AHEAD_BYTES = 65_536

checksum = google_crc32c.extend


class Frame:
    """A frame whose length and checksum were found right."""

    __slots__ = ("kind", "payload", "request_id", "wire_bytes")

    def __init__(self, kind: int, request_id: int, payload: Any, wire_bytes: int) -> None:
        self.kind = kind
        self.request_id = request_id
        #: The payload, uncompressed: bytes or a `pyarrow.Buffer`.
        self.payload = payload
        #: The length of the whole frame as it was sent: what it takes of a stream's credit.
        self.wire_bytes = wire_bytes


def frame_parts(kind: int, request_id: int, payload: Payload) -> list[Any]:
    """The buffers of a frame, in order, header first. Nothing large is copied."""
    parts = payload.finished()
    head = _CHECKED.pack(kind, 0, 0, request_id)
    crc = checksum(0, head)
    for part in parts:
        crc = checksum(crc, part)
    return [_LENGTHS.pack(12 + payload.size, crc) + head, *parts]


def small_frame(kind: int, request_id: int, payload: bytes) -> bytes:
    """A whole frame as one string of bytes, for payloads that are small."""
    checked = _CHECKED.pack(kind, 0, 0, request_id) + payload
    return _LENGTHS.pack(4 + len(checked), checksum(0, checked)) + checked


class FrameAssembler:
    """Turns received bytes into frames.

    Whoever has a socket receives into `room()` and says with `received` how much came; `next` then gives the frames that are complete. A
    payload beyond the read-ahead is received straight into its final memory.
    """

    def __init__(self, longest: int = LONGEST_OPENING) -> None:
        #: The longest payload that is taken.
        self.longest = longest
        self._scratch = bytearray(_AHEAD_BYTES)
        self._view = memoryview(self._scratch)
        # The checksum takes arrays, not views.
        self._array = np.frombuffer(self._scratch, np.uint8)
        self._start = 0
        self._end = 0
        self._limit = _AHEAD_BYTES
        self._head: tuple[int, int, int, int] | None = None
        self._large: Any = None
        self._large_view: memoryview | None = None
        self._filled = 0

    def room(self) -> memoryview:
        """Where the next bytes go; never empty."""
        if self._large_view is not None:
            return self._large_view[self._filled :]
        if self._start == self._end:
            self._start = self._end = 0
        elif self._start > 0:
            # What is left of a frame moves to the front: it is shorter than the read-ahead, else it were a large one.
            rest = self._end - self._start
            self._view[:rest] = bytes(self._view[self._start : self._end])
            self._start, self._end = 0, rest
        return self._view[self._end : self._limit]

    def received(self, count: int) -> None:
        if self._large_view is not None:
            self._filled += count
        else:
            self._end += count

    def next(self) -> Frame | None:
        """The next complete frame; None where more bytes are needed first. Throws `ProtocolError`."""
        if self._large_view is not None:
            if self._filled < len(self._large_view):
                return None
            assert self._head is not None
            frame = self._finish(*self._head, self._large)
            self._large = self._large_view = self._head = None
            # Where one large payload was, another follows: only its header is read ahead.
            self._limit = HEADER_BYTES
            return frame
        start = self._start
        have = self._end - start
        if have < HEADER_BYTES:
            return None
        length, crc, kind, flags, zero, request_id = HEADER.unpack_from(self._scratch, start)
        size = length - 12
        if size < 0 or size > self.longest:
            raise violation(f"a frame of {length} bytes, where 12 to {self.longest + 12} are allowed")
        if kind not in kinds.FROM_SERVER:
            raise violation(f"a message of the unknown kind {kind}")
        if zero or flags > (COMPRESSED if kind == kinds.ROWS else 0):
            raise violation("bits of a frame's header that should be 0 are set")
        total = HEADER_BYTES + size
        if have >= total:
            end = start + total
            if checksum(0, self._array[start + 8 : end]) != crc:
                raise violation("a frame's checksum is wrong")
            payload: Any = bytes(self._view[start + HEADER_BYTES : end])
            self._start = end
            if self._start == self._end:
                self._limit = _AHEAD_BYTES
            if flags:
                payload = self._decompressed(payload)
            return Frame(kind, request_id, payload, total)
        if total <= _AHEAD_BYTES:
            self._limit = _AHEAD_BYTES
            return None
        self._large = pa.allocate_buffer(size)
        view = memoryview(self._large).cast("B")
        part = have - HEADER_BYTES
        view[:part] = self._view[start + HEADER_BYTES : self._end]
        self._start = self._end = 0
        self._filled = part
        self._head = (crc, kind, flags, request_id)
        self._large_view = view
        return None

    def _finish(self, crc: int, kind: int, flags: int, request_id: int, payload: Any) -> Frame:
        found = checksum(checksum(0, _CHECKED.pack(kind, flags, 0, request_id)), payload)
        if found != crc:
            raise violation("a frame's checksum is wrong")
        size = payload.size
        if flags:
            payload = self._decompressed(payload)
        return Frame(kind, request_id, payload, HEADER_BYTES + size)

    def _decompressed(self, payload: Any) -> Any:
        data = pa.py_buffer(payload)
        if data.size < 4:
            raise violation("a compressed payload without its size")
        size = int.from_bytes(data[:4].to_pybytes(), "little")
        if size > self.longest:
            raise violation(f"a compressed payload of {size} bytes, where at most {self.longest} are taken")
        try:
            found = pa.decompress(data.slice(4), decompressed_size=size, codec="zstd")
        except (pa.ArrowException, OSError):
            raise violation("a compressed payload that cannot be decompressed") from None
        if found.size != size:
            raise violation(f"a compressed payload of {found.size} bytes says that it has {size}")
        return found
