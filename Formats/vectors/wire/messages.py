"""The payload of every message, and the frame around it. An entry of `messages` has what it was made from beside its bytes."""

from .columns import columns, with_columns, zstd_raw, zstd_repeated
from .primitives import crc32c, data, flag, fnv1a, i64, listed, option, schema, string, u8, u16, u32, u64


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
    payload = (
        stream(f) + string(f["view"]) + listed(f["features"], string) + option(f["known_at"], i64) + i64(f["from"]) + i64(f["to"])
        + string(f["event_time"])
    )
    for key in (f["first_key"], f["last_key"]):
        payload += flag(key is not None)
        if key is not None:
            payload = with_columns(payload + schema(key["schema"]), key["schema"], key["columns"])
    return payload


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
    "apply": (17, lambda f: definitions(f) + option(f["base_version"], u32)),
    "catalog list": (18, timeout),
    "catalog show": (19, lambda f: timeout(f) + string(f["kind"]) + string(f["name"]) + u32(f["version"])),
    "describe": (20, lambda f: timeout(f) + selection(f)),
    "definitions": (21, timeout),
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
