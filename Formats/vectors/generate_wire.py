#!/usr/bin/env python3
"""Writes wire-protocol.json, the golden vectors of wire-protocol.md, beside itself.

It is an implementation of the page of its own, written from its text alone, so that page and code check each other. Run it after a
change of the page and look at the difference: vectors of a version that has been released never change. With --check it writes nothing
and fails where the file is not what it would write.

How fields are written: 64-bit numbers and times as decimal text, other numbers as numbers, bytes as hexadecimal, floats as the
hexadecimal digits of their bits, an option that is not there as null; a schema as a list of [name, type]; columns as
{"rows": N, "columns": [the values of the first, ...]}.
"""

import json
import pathlib
import struct
import sys

# --- primitives ------------------------------------------------------------------------------------------------------------------


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


# --- columns ---------------------------------------------------------------------------------------------------------------------


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


# --- messages --------------------------------------------------------------------------------------------------------------------


def selection(fields):
    return string(fields["service"]) + listed(fields["features"], string)


def definitions(fields):
    return u64(fields["timeout"]) + listed(fields["files"], lambda file: string(file["name"]) + string(file["yaml"]))


def stream(fields):
    return u64(fields["timeout"]) + u32(fields["credit"]) + u32(fields["batch_rows"]) + flag(fields["compress"])


def hello(f):
    return u32(0x434E4857) + u16(f["lowest"]) + u16(f["highest"]) + u32(f["longest_payload"]) + string(f["client"])


def welcome(f):
    return (
        u16(f["version"]) + u16(0) + u32(f["longest_payload"]) + u32(f["open_requests"]) + u32(f["upload_credit"])
        + string(f["server"]) + listed(f["mechanisms"], string)
    )


def write(f):
    payload = u64(f["timeout"]) + data(f["idempotency_key"]) + u32(len(f["parts"]))
    for part in f["parts"]:
        payload += string(part["view"]) + u8(["rows", "deletions", "retractions"].index(part["action"])) + flag(part["missing_is_null"])
        payload += string(part["event_time"]) + string(part["availability_time"]) + schema(part["schema"])
        payload = with_columns(payload, part["schema"], part["columns"])
    return payload


def online_read(f):
    what = (1 if f["event_times"] else 0) | (2 if f["ages"] else 0)
    payload = u64(f["timeout"]) + u64(f["known_schema"]) + u8(what) + u8(0) + u16(0) + selection(f) + schema(f["schema"])
    return with_columns(payload, f["schema"], f["columns"])


def online_answer(f):
    raw = schema(f["schema"])
    assert f["schema_id"] == str(fnv1a(raw))
    payload = i64(f["time"]) + u64(f["schema_id"]) + flag(f["sends_schema"]) + (raw if f["sends_schema"] else b"")
    return with_columns(payload, f["schema"], f["columns"])


def history(f):
    payload = stream(f) + string(f["view"]) + option(f["known_at"], i64) + schema(f["schema"])
    return with_columns(payload, f["schema"], f["columns"])


def scan(f):
    return (
        stream(f) + string(f["view"]) + listed(f["features"], string) + option(f["known_at"], i64) + i64(f["from"]) + i64(f["to"])
        + string(f["event_time"])
    )


def join(f):
    payload = stream(f) + selection(f) + string(f["event_time"]) + option(f["known_at"], i64) + flag(f["as_served"]) + u64(f["memory"])
    source = f["source"]
    if source["kind"] == "rows":
        return payload + u8(0) + schema(source["schema"])
    if source["kind"] == "entities":
        return payload + u8(1) + string(source["view"]) + listed(source["instants"], i64) + i64(source["from"]) + i64(source["to"])
    return payload + u8(2) + string(source["view"]) + option(source["known_at"], i64) + i64(source["from"]) + i64(source["to"])


def backfill(f):
    return (
        u64(f["timeout"]) + string(f["view"]) + flag(f["missing_is_null"]) + string(f["event_time"]) + string(f["availability_time"])
        + schema(f["schema"])
    )


def erase(f):
    payload = u64(f["timeout"]) + string(f["entity"]) + flag(f["dry_run"]) + schema(f["schema"])
    return with_columns(payload, f["schema"], f["columns"])


def zstd_raw(raw):
    """A zstd frame (RFC 8878) of one block that is not compressed, its size in the header."""
    header = b"\x28\xb5\x2f\xfd" + u8(0b1010_0000) + u32(len(raw))
    return header + struct.pack("<I", len(raw) << 3 | 1)[:3] + raw


def zstd_repeated(byte, count):
    """A zstd frame of one block that says a byte and how often."""
    return b"\x28\xb5\x2f\xfd" + u8(0b1010_0000) + u32(count) + struct.pack("<I", count << 3 | 0b11)[:3] + bytes([byte])


def rows(f):
    raw = columns(0, f["schema"], f["columns"])
    if not f["compressed"]:
        return raw
    return u32(len(raw)) + (zstd_repeated(raw[0], len(raw)) if len(set(raw)) == 1 else zstd_raw(raw))


def timeout(f):
    return u64(f["timeout"])


MESSAGES = {
    "hello": (1, hello),
    "authenticate": (2, lambda f: string(f["mechanism"]) + data(f["data"])),
    "ping": (3, timeout),
    "cancel": (4, lambda f: b""),
    "credit": (5, lambda f: u32(f["bytes"])),
    "upload rows": (6, rows),
    "upload end": (7, lambda f: u64(f["rows"])),
    "plan": (16, definitions),
    "apply": (17, definitions),
    "catalog list": (18, timeout),
    "catalog show": (19, lambda f: timeout(f) + string(f["kind"]) + string(f["name"]) + u32(f["version"])),
    "describe": (20, lambda f: timeout(f) + selection(f)),
    "write": (32, write),
    "online read": (33, online_read),
    "history": (34, history),
    "scan": (35, scan),
    "join": (36, join),
    "backfill": (37, backfill),
    "stats": (48, timeout),
    "compact": (49, lambda f: timeout(f) + string(f["view"])),
    "retain": (50, lambda f: timeout(f) + listed(f["views"], string) + option(f["horizon"], i64) + flag(f["dry_run"])),
    "erase": (51, erase),
    "welcome": (128, welcome),
    "challenge": (129, lambda f: data(f["data"])),
    "authenticated": (130, lambda f: string(f["user"]) + listed(f["roles"], string) + data(f["data"])),
    "pong": (131, lambda f: i64(f["time"])),
    "draining": (132, lambda f: u32(f["milliseconds"])),
    "error": (
        133,
        lambda f: u32(f["code"]) + flag(f["retryable"]) + u32(f["retry_milliseconds"]) + string(f["message"]) + string(f["place"])
        + string(f["hint"]),
    ),
    "document": (134, lambda f: string(f["json"])),
    "committed": (135, lambda f: i64(f["commit_time"]) + flag(f["is_repeat"]) + u64(f["rows"])),
    "online answer": (136, online_answer),
    "schema": (137, lambda f: option(f["known_at"], i64) + schema(f["schema"])),
    "rows": (138, rows),
    "end": (139, lambda f: u64(f["rows"])),
    "upload credit": (140, lambda f: u32(f["bytes"])),
    "progress": (141, lambda f: u64(f["done"]) + u64(f["total"]) + string(f["unit"])),
}


def frame(kind, request, payload, flags=0, zero=0):
    covered = u8(kind) + u8(flags) + u16(zero) + u32(request) + payload
    return u32(4 + len(covered)) + u32(crc32c(covered)) + covered


def message(name, kind, request, /, **fields):
    code, encode = MESSAGES[kind]
    payload = encode(fields)
    raw = frame(code, request, payload, flags=1 if fields.get("compressed") else 0)
    return {"name": name, "kind": kind, "code": code, "request": request, "fields": fields, "hex": raw.hex()}


# --- the vectors -----------------------------------------------------------------------------------------------------------------


def f64(number):
    return struct.pack(">d", number).hex()


def f32(number):
    return struct.pack(">f", number).hex()


KEYS = [["carrier", "string"], ["flight", "int64"]]
KEY_ROWS = {"rows": 2, "columns": [["UA", "é𝄞"], ["1545", "-1"]]}
ONE_KEY = {"rows": 1, "columns": [["UA"], ["1545"]]}

EVERY_TYPE = [
    ["a bool", "bool"], ["an int32", "int32"], ["an int64", "int64"], ["a float32", "float32"], ["a float64", "float64"],
    ["a string", "string"], ["bytes", "bytes"], ["a time", "timestamp"], ["a vector", "vector<3>"], ["bools", "list<bool>"],
    ["int32s", "list<int32>"], ["int64s", "list<int64>"], ["float32s", "list<float32>"], ["float64s", "list<float64>"],
    ["strings", "list<string>"], ["some bytes", "list<bytes>"], ["times", "list<timestamp>"],
]
NAN = "7ff8000000000001"
FULL = [
    [True, False, True],
    [-2147483648, 0, 2147483647],
    ["-9223372036854775808", "0", "9223372036854775807"],
    [f32(1.5), "80000000", "7fc00001"],
    [f64(0.1), "8000000000000000", NAN],
    ["", "a\0b", "é𝄞"],
    ["", "00ff", "c3"],
    ["-62135596800000000", "0", "253402300799999999"],
    [[f32(1), f32(2), f32(3)], [f32(-1), f32(0), "7fc00001"], [f32(0), f32(0), f32(0)]],
    [[True, False, True, True, False, True, False, True, True], [], [False]],
    [[1, -1], [], [7]],
    [["1", "-1"], [], ["7"]],
    [[f32(1)], [f32(2), f32(3)], []],
    [[f64(1)], [f64(2), NAN], []],
    [["ab", ""], ["é"], []],
    [["ab", ""], ["c3"], []],
    [["0"], ["1", "-1"], []],
]


def with_missing(values):
    """Nine rows: the three, three without a value, the three again."""
    return values + [None] * 3 + values


def messages():
    timeout_ = "250000"
    files = [{"name": "flights.yaml", "yaml": "entity: flight\n"}, {"name": "leer.yaml", "yaml": ""}]
    two = [["UA.delay", "float64"], ["UA.event_time", "timestamp"], ["UA.age", "int64"]]
    two_id = str(fnv1a(schema(two)))
    answer = {"rows": 2, "columns": [[f64(2), None], ["1357016400000000", None], ["60000000", None]]}
    stream_ = {"timeout": timeout_, "credit": 4194304, "batch_rows": 8192, "compress": True}
    plain = {"timeout": "0", "credit": 0, "batch_rows": 0, "compress": False}
    written = [["carrier", "string"], ["flight", "int64"], ["at", "timestamp"], ["known", "timestamp"], ["delay", "float64"]]
    deleted = [["carrier", "string"], ["flight", "int64"], ["at", "timestamp"]]
    every = {"schema": EVERY_TYPE}
    out = [
        message("hello", "hello", 0, lowest=1, highest=1, longest_payload=16777216, client="whencedb 0.1"),
        message("welcome to an open server", "welcome", 0, version=1, longest_payload=67108864, open_requests=1024,
                upload_credit=8388608, server="whence 0.1", mechanisms=[]),
        message("welcome to a guarded server", "welcome", 0, version=1, longest_payload=65536, open_requests=1, upload_credit=65536,
                server="", mechanisms=["SCRAM-SHA-256", "BEARER", "CERTIFICATE"]),
        message("authenticate by token", "authenticate", 0, mechanism="BEARER", data=b"secret".hex()),
        message("authenticate by certificate", "authenticate", 0, mechanism="CERTIFICATE", data=""),
        message("authenticate by password", "authenticate", 0, mechanism="SCRAM-SHA-256", data=b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO".hex()),
        message("challenge", "challenge", 0, data=b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096".hex()),
        message("authenticated", "authenticated", 0, user="ann", roles=["reader", "writer"], data=b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=".hex()),
        message("ping", "ping", 1, timeout="0"),
        message("ping with the longest timeout", "ping", 4294967295, timeout="18446744073709551615"),
        message("pong", "pong", 1, time="1357016400000000"),
        message("cancel", "cancel", 9),
        message("credit", "credit", 9, bytes=4294967295),
        message("plan", "plan", 2, timeout=timeout_, files=files),
        message("apply", "apply", 3, timeout=timeout_, files=files[:1]),
        message("apply nothing", "apply", 3, timeout="0", files=[]),
        message("catalog list", "catalog list", 4, timeout=timeout_),
        message("catalog show", "catalog show", 5, timeout=timeout_, kind="view", name="flights", version=0),
        message("catalog show of any kind", "catalog show", 5, timeout="0", kind="", name="flights", version=7),
        message("describe a service", "describe", 6, timeout=timeout_, service="eta@3", features=[]),
        message("describe features", "describe", 6, timeout=timeout_, service="", features=["flights.*", "weather.wind"]),
        message("write", "write", 7, timeout=timeout_, idempotency_key="00ff41", parts=[
            {"view": "flights", "action": "rows", "missing_is_null": False, "event_time": "at", "availability_time": "known",
             "schema": written, "columns": {"rows": 2, "columns": [
                 ["UA", "AA"], ["1545", "17"], ["1357016400000000", "1357016400000001"], ["1357016460000000", None], [f64(2), None]]}},
            {"view": "flights", "action": "deletions", "missing_is_null": True, "event_time": "at", "availability_time": "",
             "schema": deleted, "columns": {"rows": 1, "columns": [["UA"], ["1545"], ["1357016400000002"]]}},
            {"view": "weather", "action": "retractions", "missing_is_null": False, "event_time": "at", "availability_time": "",
             "schema": deleted, "columns": {"rows": 0, "columns": [[], [], []]}},
        ]),
        message("committed", "committed", 7, commit_time="1357016460000001", is_repeat=False, rows="3"),
        message("committed before", "committed", 7, commit_time="-1", is_repeat=True, rows="18446744073709551615"),
        message("online read of a service", "online read", 8, timeout=timeout_, known_schema="0", event_times=False, ages=False,
                service="eta", features=[], schema=KEYS, columns=KEY_ROWS),
        message("online read of features with times and ages", "online read", 8, timeout="0", known_schema=two_id, event_times=True,
                ages=True, service="", features=["UA.delay"], schema=KEYS[:1], columns={"rows": 2, "columns": [["UA", None]]}),
        message("online answer with its schema", "online answer", 8, time="1357016460000000", schema_id=two_id, sends_schema=True,
                schema=two, columns=answer),
        message("online answer to one who knows the schema", "online answer", 8, time="1357016460000000", schema_id=two_id,
                sends_schema=False, schema=two, columns=answer),
        message("history", "history", 9, **stream_, view="flights", known_at="1357016460000000", schema=KEYS, columns=ONE_KEY),
        message("scan", "scan", 10, **stream_, view="flights", features=["delay"], known_at=None, **{"from": "-1", "to": "1"}, event_time="at"),
        message("scan of everything", "scan", 10, **plain, view="flights", features=[], known_at="0",
                **{"from": "-9223372036854775808", "to": "9223372036854775807"}, event_time="event_time"),
        message("join of uploaded rows", "join", 11, **stream_, service="eta", features=[], event_time="at", known_at=None, as_served=True,
                memory="1073741824", source={"kind": "rows", "schema": deleted}),
        message("join of entities", "join", 11, **plain, service="", features=["flights.delay"], event_time="at",
                known_at="1357016460000000", as_served=False, memory="0",
                source={"kind": "entities", "view": "flights", "instants": ["-1", "1357016400000000"], "from": "0", "to": "1"}),
        message("join of versions", "join", 11, **plain, service="eta", features=[], event_time="at", known_at=None, as_served=False,
                memory="0", source={"kind": "versions", "view": "flights", "known_at": "5", "from": "0", "to": "1"}),
        message("backfill", "backfill", 12, timeout=timeout_, view="flights", missing_is_null=True, event_time="at",
                availability_time="known", schema=written),
        message("upload rows", "upload rows", 12, compressed=False, schema=deleted,
                columns={"rows": 1, "columns": [["UA"], ["1545"], ["1357016400000002"]]}),
        message("upload rows, compressed", "upload rows", 12, compressed=True, schema=deleted,
                columns={"rows": 1, "columns": [["UA"], ["1545"], ["1357016400000002"]]}),
        message("upload end", "upload end", 12, rows="1"),
        message("upload credit", "upload credit", 12, bytes=1),
        message("stats", "stats", 13, timeout=timeout_),
        message("compact", "compact", 14, timeout=timeout_, view="flights"),
        message("retain", "retain", 15, timeout=timeout_, views=["flights", "weather"], horizon="1357016400000000", dry_run=True),
        message("retain as declared", "retain", 15, timeout="0", views=[], horizon=None, dry_run=False),
        message("erase", "erase", 16, timeout=timeout_, entity="flight", dry_run=True, schema=KEYS, columns=ONE_KEY),
        message("draining", "draining", 0, milliseconds=5000),
        message("error of a request", "error", 17, code=1001, retryable=False, retry_milliseconds=0, message="a value is wrong",
                place="row 3, column 'delay'", hint="mend it – é𝄞"),
        message("error: overloaded", "error", 17, code=4003, retryable=True, retry_milliseconds=250, message="too many requests", place="", hint=""),
        message("error that ends the connection", "error", 0, code=4006, retryable=False, retry_milliseconds=0,
                message="a frame's checksum is wrong", place="", hint=""),
        message("error of a later version", "error", 17, code=4999, retryable=True, retry_milliseconds=1, message="new", place="", hint=""),
        message("document", "document", 4, json='{"views": [{"name": "flights"}]}'),
        message("schema", "schema", 9, known_at="1357016460000000", schema=EVERY_TYPE),
        message("schema of nothing", "schema", 9, known_at=None, schema=[]),
        message("rows of every type", "rows", 9, compressed=False, **every, columns={"rows": 3, "columns": FULL}),
        message("rows of every type with missing values", "rows", 9, compressed=False, **every,
                columns={"rows": 9, "columns": [with_missing(values) for values in FULL]}),
        message("rows of every type without any value", "rows", 9, compressed=False, **every,
                columns={"rows": 2, "columns": [[None, None] for _ in EVERY_TYPE]}),
        message("no rows of every type", "rows", 9, compressed=False, **every, columns={"rows": 0, "columns": [[] for _ in EVERY_TYPE]}),
        message("rows without columns", "rows", 9, compressed=False, schema=[], columns={"rows": 5, "columns": []}),
        message("rows of every type, compressed", "rows", 9, compressed=True, **every,
                columns={"rows": 9, "columns": [with_missing(values) for values in FULL]}),
        message("rows, compressed by repetition", "rows", 9, compressed=True, schema=[], columns={"rows": 0, "columns": []}),
        message("end", "end", 9, rows="17"),
        message("progress", "progress", 14, done="1", total="0", unit="bytes"),
    ]
    assert {entry["kind"] for entry in out} == set(MESSAGES)
    return out


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


def checksums():
    """The first four are those of RFC 3720, B.4."""
    inputs = [bytes(32), b"\xff" * 32, bytes(range(32)), bytes(range(31, -1, -1)), b"", b"123456789", b"\x00"]
    return [{"hex": raw.hex(), "crc32c": crc32c(raw)} for raw in inputs]


def main():
    document = {"version": 1, "checksums": checksums(), "messages": messages(), "refused": refused()}
    assert document["checksums"][0]["crc32c"] == 0x8A9136AA and document["checksums"][5]["crc32c"] == 0xE3069283
    path = pathlib.Path(__file__).with_name("wire-protocol.json")
    lines = [json.dumps(key) + ": " + (
        json.dumps(value) if not isinstance(value, list) else
        "[\n" + ",\n".join("  " + json.dumps(entry, ensure_ascii=False) for entry in value) + "\n]"
    ) for key, value in document.items()]
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    assert json.loads(text) == document
    if "--check" in sys.argv[1:]:
        sys.exit(0 if path.exists() and path.read_text() == text else f"{path} is not what {__file__} writes")
    path.write_text(text)


if __name__ == "__main__":
    main()
