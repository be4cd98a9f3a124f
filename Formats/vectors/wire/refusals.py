"""The vectors: frames that are refused."""

import struct

from .columns import columns, padded, with_columns, zstd_raw, zstd_repeated
from .messages import frame
from .primitives import data, i64, listed, schema, string, u16, u32, u64


def refused():
    """Frames that end the connection. `schema` is that of the stream or upload where rows are meant."""
    text = [["s", "string"]]
    ping = frame(3, 1, u64("0"))

    def rows_of(head, *buffers, types=text):
        raw = padded(u32(head[0]) + u32(len(types)) + b"".join(u32(number) for number in head[1:])) + b"".join(padded(b) for b in buffers)
        return frame(138, 1, raw)

    def offsets(*ends):
        return b"".join(struct.pack("<i", end) for end in ends)

    def compressed(payload):
        return frame(138, 1, payload, flags=1)

    nothing = columns(0, [], {"rows": 0, "columns": []})
    cases = [
        ("a length shorter than the header", "client", u32(11) + ping[4:], None),
        ("a payload longer than what is taken", "client", u32(12 + 67108865) + ping[4:], None),
        ("a wrong checksum", "client", ping[:4] + u32(0) + ping[8:], None),
        ("a flipped bit in the payload", "client", ping[:-1] + b"\x01", None),
        ("an unknown kind", "client", frame(8, 1, b""), None),
        ("a kind of the server from a client", "client", frame(131, 1, i64("0")), None),
        ("a kind of a client from the server", "server", ping, None),
        ("an unknown flag", "client", frame(3, 1, u64("0"), flags=2), None),
        ("a compressed ping", "client", frame(3, 1, u64("0"), flags=1), None),
        ("a byte that should be 0", "client", frame(3, 1, u64("0"), zero=1), None),
        ("a byte too few", "client", frame(3, 1, u64("0")[:7]), None),
        ("a byte too many", "client", frame(3, 1, u64("0") + b"\x00"), None),
        ("a hello of something else", "client", frame(1, 0, u32(0x47455420) + u16(1) + u16(1) + u32(65536) + string("")), None),
        ("a hello that takes too little", "client", frame(1, 0, u32(0x434E4857) + u16(1) + u16(1) + u32(65535) + string("")), None),
        ("a hello of versions from 2 to 1", "client", frame(1, 0, u32(0x434E4857) + u16(2) + u16(1) + u32(65536) + string("")), None),
        ("a flag of 2", "client", frame(50, 1, u64("0") + u32(0) + b"\x00\x02"), None),
        ("a name of 513 bytes", "client", frame(49, 1, u64("0") + string("x" * 513)), None),
        ("a string that is not UTF-8", "client", frame(49, 1, u64("0") + u32(1) + b"\xff"), None),
        ("a string beyond the end", "client", frame(49, 1, u64("0") + u32(10) + b"abc"), None),
        ("a list beyond the end", "client", frame(16, 1, u64("0") + u32(4294967295)), None),
        ("a list of too many names", "client", frame(50, 1, u64("0") + u32(16385) + bytes(4 * 16385) + b"\x00\x00"), None),
        ("a selection of nothing", "client", frame(20, 1, u64("0") + string("") + u32(0)), None),
        ("a selection of a service and features", "client", frame(20, 1, u64("0") + string("a") + listed(["v.f"], string)), None),
        ("a write without parts", "client", frame(32, 1, u64("0") + u32(0) + u32(0)), None),
        ("an idempotency key of 129 bytes", "client", frame(32, 1, u64("0") + data("00" * 129) + u32(0)), None),
        ("a source of a join that is not known", "client",
         frame(36, 1, u64("0") + u32(0) + u32(0) + b"\x00" + string("s") + u32(0) + string("t") + b"\x00\x00" + u64("0") + b"\x03"), None),
        ("two columns of one name", "server", frame(137, 1, b"\x00" + schema([["a", "bool"], ["a", "int32"]])), None),
        ("a column without a name", "server", frame(137, 1, b"\x00" + schema([["", "bool"]])), None),
        ("an unknown type", "server", frame(137, 1, b"\x00" + u32(1) + string("a") + b"\x09" + bytes(7)), None),
        ("a type with bits that should be 0", "server", frame(137, 1, b"\x00" + u32(1) + string("a") + b"\x01\x00\x01" + bytes(5)), None),
        ("a scalar with a dimension", "server", frame(137, 1, b"\x00" + u32(1) + string("a") + b"\x01\x00\x00\x00" + u32(1)), None),
        ("a vector of no dimension", "server", frame(137, 1, b"\x00" + u32(1) + string("a") + b"\x04\x01\x00\x00" + u32(0)), None),
        ("a vector that is too long", "server", frame(137, 1, b"\x00" + u32(1) + string("a") + b"\x04\x01\x00\x00" + u32(16385)), None),
        ("a vector of float64", "server", frame(137, 1, b"\x00" + u32(1) + string("a") + b"\x05\x01\x00\x00" + u32(1)), None),
        ("an online answer with a schema that was never sent", "server", frame(136, 1, i64("0") + u64("1") + b"\x00" + bytes(7) + nothing), None),
        ("an online answer whose schema has another id", "server",
         frame(136, 1, with_columns(i64("0") + u64("1") + b"\x01" + schema([]), [], {"rows": 0, "columns": []})), None),
        ("rows of another number of columns", "server", rows_of((1,), types=[]), text),
        ("too many rows", "server", frame(138, 1, u32(4194305) + u32(0)), []),
        ("more nulls than rows", "server", rows_of((1, 2, 1, 8, 0), b"\x00", offsets(0, 0)), text),
        ("nulls without a validity", "server", rows_of((1, 1, 0, 8, 0), b"", offsets(0, 0)), text),
        ("a validity without nulls", "server", rows_of((1, 0, 1, 8, 0), b"\x01", offsets(0, 0)), text),
        ("another number of nulls than the validity's", "server", rows_of((2, 1, 1, 12, 0), b"\x00", offsets(0, 0, 0)), text),
        ("offsets that start elsewhere", "server", rows_of((1, 0, 0, 8, 2), b"", offsets(1, 2), b"ab"), text),
        ("offsets that fall", "server", rows_of((2, 0, 0, 12, 1), b"", offsets(0, 2, 1), b"a"), text),
        ("offsets below 0", "server", rows_of((1, 0, 0, 8, 4294967295), b"", offsets(0, -1), b""), text),
        ("offsets that end before the values", "server", rows_of((1, 0, 0, 8, 2), b"", offsets(0, 1), b"ab"), text),
        ("offsets that end behind the values", "server", rows_of((1, 0, 0, 8, 1), b"", offsets(0, 2), b"a"), text),
        ("too few offsets", "server", rows_of((1, 0, 0, 4, 0), b"", offsets(0), b""), text),
        ("a value that is not UTF-8", "server", rows_of((1, 0, 0, 8, 1), b"", offsets(0, 1), b"\xff"), text),
        ("a character cut by an offset", "server", rows_of((2, 0, 0, 12, 2), b"", offsets(0, 1, 2), "é".encode()), text),
        ("values too short for the type", "server", rows_of((1, 0, 0, 7), b"", bytes(7), types=[["n", "int64"]]), [["n", "int64"]]),
        ("values beyond the end", "server", rows_of((4194304, 0, 0, 33554432), types=[["n", "int64"]]), [["n", "int64"]]),
        ("elements that do not fit the offsets", "server",
         rows_of((1, 0, 0, 8, 4), b"", offsets(0, 2), bytes(4), types=[["l", "list<int32>"]]), [["l", "list<int32>"]]),
        ("rows with bytes too many", "server", frame(138, 1, nothing + b"\x00"), []),
        ("a compressed payload without a size", "server", compressed(b"\x01"), []),
        ("a compressed payload longer than what is taken", "server", compressed(u32(67108865) + zstd_repeated(0, 8)), []),
        ("a compressed payload of another size", "server", compressed(u32(16) + zstd_repeated(0, 8)), []),
        ("a compressed payload of two frames", "server", compressed(u32(8) + zstd_repeated(0, 8) + zstd_repeated(0, 8)), []),
        ("a compressed payload that is none", "server", compressed(u32(8) + nothing), []),
        ("a compressed payload cut short", "server", compressed(u32(8) + zstd_raw(nothing)[:-1]), []),
    ]
    return [{"name": name, "from": peer, "hex": raw.hex(), "schema": types} for name, peer, raw, types in cases]
