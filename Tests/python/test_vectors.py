"""The wire code against the golden vectors: every message in bytes, both ways where both ways exist."""

import pytest
from vectors import WIRE, arrays_of, schema_of, values_of
from whencedb.errors import ProtocolError
from whencedb.wire import kinds, messages
from whencedb.wire.frames import FrameAssembler, checksum, frame_parts, small_frame
from whencedb.wire.primitives import Payload
from whencedb.wire.types import WireSchema

MESSAGES = {message["name"]: message for message in WIRE["messages"]}
FROM_CLIENT = [name for name, message in MESSAGES.items() if message["code"] < 128]
FROM_SERVER = [name for name, message in MESSAGES.items() if message["code"] >= 128]
# A client need not compress what it sends.
COMPRESSED = {name for name in FROM_CLIENT if MESSAGES[name]["fields"].get("compressed")}
REFUSED = {vector["name"]: vector for vector in WIRE["refused"] if vector["from"] == "server"}


def optional(value):
    return None if value is None else int(value)


def encode(kind, f):
    """The payload of a client's message with the fields of a vector."""
    timeout = int(f.get("timeout", 0))
    selection = messages.Selection(f.get("service", ""), tuple(f.get("features", ())))
    schema = schema_of(f["schema"]) if "schema" in f else None
    arrays = arrays_of(f["columns"], schema) if "columns" in f else None
    files = [(file["name"], file["yaml"]) for file in f.get("files", [])]
    timed = messages.timed(timeout)

    def key(f):
        if f is None:
            return None
        schema = schema_of(f["schema"])
        return schema, arrays_of(f["columns"], schema)

    def streamed():
        return messages.streamed(timeout, f["credit"], f["batch_rows"], f["compress"])

    match kind:
        case "hello":
            return messages.hello(f["client"], f["longest_payload"])
        case "authenticate":
            return messages.authenticate(f["mechanism"], bytes.fromhex(f["data"]))
        case "cancel":
            return Payload()
        case "credit":
            return Payload().u32(f["bytes"])
        case "upload rows":
            from whencedb.wire.columns import write_columns

            return write_columns(Payload(), arrays, schema)
        case "upload end":
            return Payload().u64(int(f["rows"]))
        case "ping" | "catalog list" | "definitions" | "stats":
            return timed
        case "plan":
            return messages.definitions(timed, files)
        case "apply":
            return messages.apply(timed, files, f["base_version"])
        case "catalog show":
            return messages.catalog_show(timed, f["kind"], f["name"], f["version"])
        case "describe":
            return selection.write(timed)
        case "write":
            return messages.write(timed, bytes.fromhex(f["idempotency_key"]), [part(p) for p in f["parts"]])
        case "online read":
            what = messages.EVENT_TIMES * f["event_times"] + messages.AGES * f["ages"]
            return messages.online_read(timed, int(f["known_schema"]), what, selection, schema, arrays)
        case "history":
            return messages.history(streamed(), f["view"], optional(f["known_at"]), schema, arrays)
        case "scan":
            return messages.scan(
                streamed(), f["view"], f["features"], optional(f["known_at"]), int(f["from"]), int(f["to"]), f["event_time"],
                key(f["first_key"]), key(f["last_key"])
            )
        case "join":
            return messages.join(
                streamed(), selection, f["event_time"], optional(f["known_at"]), f["as_served"], int(f["memory"]), source(f["source"])
            )
        case "backfill":
            return messages.backfill(timed, f["view"], f["missing_is_null"], f["event_time"], f["availability_time"], schema)
        case "compact":
            return timed.string(f["view"])
        case "retain":
            return messages.retain(timed, f["views"], optional(f["horizon"]), f["dry_run"])
        case "erase":
            return messages.erase(timed, f["entity"], f["dry_run"], schema, arrays)
    raise AssertionError(f"no test knows how to say {kind}")


def part(p):
    schema = schema_of(p["schema"])
    action = ["rows", "deletions", "retractions"].index(p["action"])
    return messages.Part(
        p["view"], action, p["missing_is_null"], p["event_time"], p["availability_time"], schema, arrays_of(p["columns"], schema)
    )


def source(s):
    match s["kind"]:
        case "rows":
            return messages.RowsSource(schema_of(s["schema"]))
        case "entities":
            return messages.EntitiesSource(s["view"], [int(i) for i in s["instants"]], int(s["from"]), int(s["to"]))
        case "versions":
            return messages.VersionsSource(s["view"], optional(s["known_at"]), int(s["from"]), int(s["to"]))
    raise AssertionError(s)


def assembled(data, step=None):
    """The frames of received bytes that come `step` at a time."""
    assembler = FrameAssembler(longest=67_108_864)
    frames, offset = [], 0
    while True:
        while (frame := assembler.next()) is not None:
            frames.append(frame)
        if offset == len(data):
            return frames
        room = assembler.room()
        piece = data[offset : offset + min(step or len(data), len(room))]
        room[: len(piece)] = piece
        assembler.received(len(piece))
        offset += len(piece)


@pytest.mark.parametrize("vector", WIRE["checksums"], ids=lambda vector: vector["hex"][:16] or "empty")
def test_checksums_are_crc_32c(vector):
    assert checksum(0, bytes.fromhex(vector["hex"])) == vector["crc32c"]


@pytest.mark.parametrize("name", [name for name in FROM_CLIENT if name not in COMPRESSED])
def test_what_a_client_says(name):
    vector = MESSAGES[name]
    payload = encode(vector["kind"], vector["fields"])
    frame = b"".join(bytes(memoryview(p)) for p in frame_parts(vector["code"], vector["request"], payload))
    assert frame.hex() == vector["hex"]
    assert small_frame(vector["code"], vector["request"], frame[16:]).hex() == vector["hex"]


def decoded(frame, f):
    """The fields of a server's message, as its vector writes them."""
    payload = frame.payload
    match frame.kind:
        case kinds.WELCOME:
            w = messages.Welcome.read(payload)
            return {name: getattr(w, name) for name in f}
        case kinds.CHALLENGE:
            return {"data": messages.read_challenge(payload).hex()}
        case kinds.AUTHENTICATED:
            a = messages.Authenticated.read(payload)
            return {"user": a.user, "roles": a.roles, "data": a.data.hex()}
        case kinds.PONG:
            return {"time": str(messages.read_pong(payload))}
        case kinds.DRAINING:
            return {"milliseconds": messages.read_number(payload, 4)}
        case kinds.ERROR:
            e = messages.read_error(payload)
            milliseconds = round(e.retry_after * 1000)
            return {
                "code": e.code, "retryable": e.retryable, "retry_milliseconds": milliseconds,
                "message": e.message, "place": e.place, "hint": e.hint,
            }  # fmt: skip
        case kinds.DOCUMENT:
            return {"json": messages.read_document(payload)}
        case kinds.COMMITTED:
            c = messages.Committed.read(payload)
            return {"commit_time": str(c.commit_time), "is_repeat": c.is_repeat, "rows": str(c.rows)}
        case kinds.SCHEMA:
            known_at, schema = messages.read_schema(payload)
            return {"known_at": None if known_at is None else str(known_at), "schema": written(schema)}
        case kinds.ROWS:
            schema = schema_of(f["schema"])
            batch = messages.read_rows(frame, schema)
            columns = [values_of(array, kind) for array, (_, kind) in zip(batch.columns, schema, strict=False)]
            return {"compressed": f["compressed"], "schema": written(schema), "columns": {"rows": batch.num_rows, "columns": columns}}
        case kinds.END:
            return {"rows": str(messages.read_number(payload, 8))}
        case kinds.CREDIT:
            return {"bytes": messages.read_number(payload, 4)}
        case kinds.PROGRESS:
            done, total, unit = messages.read_progress(payload)
            return {"done": str(done), "total": str(total), "unit": unit}
        case kinds.ANSWER:
            return decoded_answer(payload, f)
    raise AssertionError(f"no test knows how to hear {frame.kind}")


def decoded_answer(payload, f):
    import pyarrow as pa
    from whencedb.wire.columns import read_columns

    # An answer that leaves its schema out is read with the one that the client keeps.
    kept = schema_of(f.get("schema") or f.get("known_schema") or [])
    time, identity, schema, offset = messages.read_answer_head(payload, kept, int(f["schema_id"]))
    arrays, rows, end = read_columns(pa.py_buffer(payload), offset, schema)
    assert end == len(payload)
    columns = [values_of(array, kind) for array, (_, kind) in zip(arrays, schema, strict=True)]
    found = {"time": str(time), "schema_id": str(identity), "columns": {"rows": rows, "columns": columns}}
    return f | found | ({"schema": written(schema)} if "schema" in f and f["schema"] is not None else {})


def written(schema: WireSchema):
    return [[name, kind.name] for name, kind in schema]


@pytest.mark.parametrize("name", FROM_SERVER)
def test_what_a_client_hears(name):
    vector = MESSAGES[name]
    data = bytes.fromhex(vector["hex"])
    expected = dict(vector["fields"])
    if name == "error of a later version":
        expected["retryable"] = False  # An unknown code is not to be repeated, whatever it says.
    for step in (None, 1, 7):
        (frame,) = assembled(data, step)
        assert (frame.kind, frame.request_id, frame.wire_bytes) == (vector["code"], vector["request"], len(data))
        assert decoded(frame, expected) == expected


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_client_refuses(name):
    vector = REFUSED[name]
    data = bytes.fromhex(vector["hex"])
    f = {"schema": vector["schema"], "compressed": False, "schema_id": "0"}
    with pytest.raises(ProtocolError):
        (frame,) = assembled(data)
        if frame.kind == kinds.ANSWER:
            messages.read_answer_head(frame.payload, None, 0)
        else:
            decoded(frame, f)


def test_every_message_has_a_vector():
    codes = {message["code"] for message in MESSAGES.values()}
    known = {value for name, value in vars(kinds).items() if isinstance(value, int)}
    assert codes == known


def test_a_large_payload_lies_where_it_was_received():
    text = "x" * 300_000
    frame = b"".join(bytes(p) for p in frame_parts(kinds.DOCUMENT, 3, Payload().string(text, 1 << 26)))
    for step in (None, 50_001, 4096):
        found = assembled(frame * 3 + bytes.fromhex(MESSAGES["pong"]["hex"]), step)
        assert [f.kind for f in found] == [kinds.DOCUMENT] * 3 + [kinds.PONG]
        assert all(messages.read_document(f.payload) == text for f in found[:3])
