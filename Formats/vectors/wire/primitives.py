"""Numbers, strings, options, lists, types and schemas; the checksum and the id of a schema."""

import struct


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def fnv1a(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def u8(value):
    return struct.pack("<B", value)


def u16(value):
    return struct.pack("<H", value)


def u32(value):
    return struct.pack("<I", value)


def u64(text):
    return struct.pack("<Q", int(text))


def i64(text):
    return struct.pack("<q", int(text))


def flag(value):
    return b"\x01" if value else b"\x00"


def string(text):
    raw = text.encode()
    return u32(len(raw)) + raw


def data(hexadecimal):
    raw = bytes.fromhex(hexadecimal)
    return u32(len(raw)) + raw


def option(value, encode):
    return b"\x00" if value is None else b"\x01" + encode(value)


def listed(values, encode):
    return u32(len(values)) + b"".join(encode(value) for value in values)


SCALARS = ["bool", "int32", "int64", "float32", "float64", "string", "bytes", "timestamp"]
WIDTHS = {"int32": 4, "int64": 8, "float32": 4, "float64": 8, "timestamp": 8}


def taken_apart(name):
    """(scalar, shape, dimension) of `float64`, `vector<3>`, `list<string>`."""
    if name.startswith("vector<"):
        return "float32", 1, int(name[7:-1])
    if name.startswith("list<"):
        return name[5:-1], 2, 0
    return name, 0, 0


def type_(name):
    scalar, shape, dimension = taken_apart(name)
    return u8(SCALARS.index(scalar) + 1) + u8(shape) + u16(0) + u32(dimension)


def schema(columns):
    return listed(columns, lambda column: string(column[0]) + type_(column[1]))
