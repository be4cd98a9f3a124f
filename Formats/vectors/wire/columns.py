"""Rows in Arrow's layout, and the zstd frames that hold them."""

import struct

from .primitives import WIDTHS, i64, taken_apart, u8, u32


def bits(flags):
    out = bytearray((len(flags) + 7) // 8)
    for index, is_set in enumerate(flags):
        out[index // 8] |= (1 if is_set else 0) << index % 8
    return bytes(out)


def fixed(scalar, value):
    if value is None:
        return bytes(WIDTHS[scalar])
    if scalar == "int32":
        return struct.pack("<i", value)
    if scalar == "float32":
        return struct.pack("<I", int(value, 16))
    if scalar == "float64":
        return struct.pack("<Q", int(value, 16))
    return i64(value)


def varying(scalar, values):
    """(offsets, bytes) of strings or bytes."""
    raws = [b"" if value is None else value.encode() if scalar == "string" else bytes.fromhex(value) for value in values]
    ends = [0]
    for raw in raws:
        ends.append(ends[-1] + len(raw))
    return b"".join(struct.pack("<i", end) for end in ends), b"".join(raws)


def flat(scalar, values):
    """(offsets or None, values) of scalars one behind the other."""
    if scalar == "bool":
        return None, bits(values)
    if scalar in WIDTHS:
        return None, b"".join(fixed(scalar, value) for value in values)
    return varying(scalar, values)


def column_buffers(name, values):
    scalar, shape, dimension = taken_apart(name)
    missing = sum(value is None for value in values)
    buffers = [bits([value is not None for value in values]) if missing else b""]
    if shape == 0:
        offsets, flat_values = flat(scalar, values)
        buffers += [flat_values] if offsets is None else [offsets, flat_values]
    elif shape == 1:
        buffers.append(b"".join(fixed(scalar, element) for value in values for element in (value or [None] * dimension)))
    else:
        ends = [0]
        for value in values:
            ends.append(ends[-1] + len(value or []))
        offsets, flat_values = flat(scalar, [element for value in values for element in value or []])
        buffers.append(b"".join(struct.pack("<i", end) for end in ends))
        buffers += [flat_values] if offsets is None else [offsets, flat_values]
    return missing, buffers


def padded(raw):
    return raw + bytes(-len(raw) % 8)


def columns(before, types, fields):
    """`columns` behind `before` bytes of payload, the padding that leads to it included."""
    head = u32(fields["rows"]) + u32(len(types))
    body = b""
    for (_, name), values in zip(types, fields["columns"], strict=True):
        assert len(values) == fields["rows"]
        missing, buffers = column_buffers(name, values)
        head += u32(missing) + b"".join(u32(len(buffer)) for buffer in buffers)
        body += b"".join(padded(buffer) for buffer in buffers)
    return bytes(-before % 8) + padded(head) + body


def with_columns(payload, types, fields):
    return payload + columns(len(payload), types, fields)


def zstd_raw(raw):
    """A zstd frame (RFC 8878) of one block that is not compressed, its size in the header."""
    header = b"\x28\xb5\x2f\xfd" + u8(0b1010_0000) + u32(len(raw))
    return header + struct.pack("<I", len(raw) << 3 | 1)[:3] + raw


def zstd_repeated(byte, count):
    """A zstd frame of one block that says a byte and how often."""
    return b"\x28\xb5\x2f\xfd" + u8(0b1010_0000) + u32(count) + struct.pack("<I", count << 3 | 0b11)[:3] + bytes([byte])
