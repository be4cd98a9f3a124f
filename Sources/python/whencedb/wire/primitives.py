"""Numbers, strings and lists: how a payload is put together and taken apart."""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection
from typing import Any, TypeVar

from ..errors import InputError, ProtocolError

LONGEST_NAME = 512
LONGEST_STRING = 65_536
LONGEST_DEFINITIONS = 4_194_304
MOST_NAMES = 16_384

_U16 = struct.Struct("<H")
_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")
_I64 = struct.Struct("<q")
_PADDING = tuple(bytes(n) for n in range(8))

T = TypeVar("T")


def violation(message: str) -> ProtocolError:
    """What a message that breaks the protocol is answered with: the end of the connection."""
    return ProtocolError(message, place="the server's message", hint="the connection was closed; is this a Whence server of version 1?")


class Payload:
    """A payload that grows. Large buffers are kept where they are and sent from there."""

    __slots__ = ("_tail", "parts", "size")

    def __init__(self) -> None:
        self.parts: list[Any] = []
        self.size = 0
        self._tail = bytearray()

    def raw(self, data: bytes) -> Payload:
        self._tail += data
        self.size += len(data)
        return self

    def buffer(self, data: Any, size: int) -> Payload:
        """Takes a read-only buffer of `size` bytes without copying it, unless it is small."""
        if size < 512:
            return self.raw(memoryview(data).cast("B"))  # type: ignore[arg-type]
        if self._tail:
            self.parts.append(bytes(self._tail))
            self._tail = bytearray()
        self.parts.append(data)
        self.size += size
        return self

    def finished(self) -> list[Any]:
        """The parts, in order. Nothing may be added after."""
        if self._tail:
            self.parts.append(bytes(self._tail))
            self._tail = bytearray()
        return self.parts

    def u8(self, value: int) -> Payload:
        return self.raw(bytes((value,)))

    def u16(self, value: int) -> Payload:
        return self.raw(_U16.pack(value))

    def u32(self, value: int) -> Payload:
        return self.raw(_U32.pack(value))

    def u64(self, value: int) -> Payload:
        return self.raw(_U64.pack(value))

    def i64(self, value: int) -> Payload:
        return self.raw(_I64.pack(value))

    def flag(self, value: bool) -> Payload:
        return self.raw(b"\1" if value else b"\0")

    def string(self, text: str, longest: int = LONGEST_NAME) -> Payload:
        try:
            data = text.encode()
        except (AttributeError, UnicodeEncodeError):
            raise InputError(f"{text!r} is no text", code=1001) from None
        return self.bytes(data, longest)

    def bytes(self, data: bytes, longest: int = LONGEST_STRING) -> Payload:
        if len(data) > longest:
            raise InputError(f"{len(data)} bytes are too many: at most {longest} are taken here", code=1004, place=repr(data[:40]))
        return self.u32(len(data)).raw(data)

    def option_i64(self, value: int | None) -> Payload:
        return self.flag(False) if value is None else self.flag(True).i64(value)

    def names(self, values: Collection[str]) -> Payload:
        if isinstance(values, (str, bytes)) or not isinstance(values, Collection):
            raise InputError(f"{values!r} is no list of names", code=1001)
        if len(values) > MOST_NAMES:
            raise InputError(f"{len(values)} names are too many: at most {MOST_NAMES} are taken", code=1004)
        self.u32(len(values))
        for value in values:
            self.string(value)
        return self

    def align(self) -> Payload:
        return self.raw(_PADDING[-self.size % 8])


class PayloadReader:
    """Reads a payload from its start. Every length is checked before anything is taken."""

    __slots__ = ("data", "offset", "size")

    def __init__(self, data: Any, offset: int = 0) -> None:
        self.data = memoryview(data).cast("B")
        self.size = len(self.data)
        self.offset = offset

    def take(self, count: int) -> memoryview:
        start = self.offset
        if count > self.size - start:
            raise violation(f"a payload ends too early: {count} bytes were to come, and {self.size - start} are left")
        self.offset = start + count
        return self.data[start : start + count]

    def u8(self) -> int:
        return self.take(1)[0]

    def u16(self) -> int:
        return int(_U16.unpack(self.take(2))[0])

    def u32(self) -> int:
        return int(_U32.unpack(self.take(4))[0])

    def u64(self) -> int:
        return int(_U64.unpack(self.take(8))[0])

    def i64(self) -> int:
        return int(_I64.unpack(self.take(8))[0])

    def flag(self) -> bool:
        value = self.u8()
        if value > 1:
            raise violation(f"a flag is 0 or 1, and this one is {value}")
        return value == 1

    def bytes(self, longest: int = LONGEST_STRING) -> bytes:
        count = self.u32()
        if count > longest:
            raise violation(f"a string of {count} bytes, where at most {longest} are allowed")
        return bytes(self.take(count))

    def string(self, longest: int = LONGEST_NAME) -> str:
        data = self.bytes(longest)
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise violation("a string that is not UTF-8") from None

    def option_i64(self) -> int | None:
        return self.i64() if self.flag() else None

    def list(self, smallest: int, most: int, item: Callable[[], T]) -> list[T]:
        """As many items as a count says; each takes at least `smallest` bytes."""
        count = self.u32()
        if count > most or count * smallest > self.size - self.offset:
            raise violation(f"a list of {count} items, where there is room for fewer")
        return [item() for _ in range(count)]

    def finish(self) -> None:
        if self.offset != self.size:
            raise violation(f"a payload has {self.size - self.offset} bytes too many")
