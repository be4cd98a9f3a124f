"""The vectors: messages of every kind."""

import struct

from .messages import MESSAGES, message
from .primitives import fnv1a, schema


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
    mixed = [*deleted, ["_kind", "string"], ["delay", "float64"], ["_carries.delay", "bool"], ["gate", "string"]]
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
        message("ping with the longest timeout", "ping", 4294967295, timeout="9223372036854775807"),
        message("pong", "pong", 1, time="1357016400000000"),
        message("cancel", "cancel", 9),
        message("credit", "credit", 9, bytes=4294967295),
        message("plan", "plan", 2, timeout=timeout_, files=files),
        message("apply", "apply", 3, timeout=timeout_, files=files[:1], base_version=3),
        message("apply nothing", "apply", 3, timeout="0", files=[], base_version=None),
        message("catalog list", "catalog list", 4, timeout=timeout_),
        message("catalog show", "catalog show", 5, timeout=timeout_, kind="view", name="flights", version=0),
        message("catalog show of any kind", "catalog show", 5, timeout="0", kind="", name="flights", version=7),
        message("describe a service", "describe", 6, timeout=timeout_, service="eta@3", features=[]),
        message("describe features", "describe", 6, timeout=timeout_, service="", features=["flights.*", "weather.wind"]),
        message("definitions", "definitions", 6, timeout=timeout_),
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
        message("scan", "scan", 10, **stream_, view="flights", features=["delay"], known_at=None, **{"from": "-1", "to": "1"}, event_time="at",
                first_key={"schema": KEYS[:1], "columns": {"rows": 1, "columns": ONE_KEY["columns"][:1]}},
                last_key={"schema": KEYS, "columns": ONE_KEY}),
        message("scan of everything", "scan", 10, **plain, view="flights", features=[], known_at="0",
                **{"from": "-9223372036854775808", "to": "9223372036854775807"}, event_time="event_time", first_key=None, last_key=None),
        message("join of uploaded rows", "join", 11, **stream_, service="eta", features=[], event_time="at", known_at=None, as_served=True,
                memory="1073741824", source={"kind": "rows", "schema": deleted}),
        message("join of entities", "join", 11, **plain, service="", features=["flights.delay"], event_time="at",
                known_at="1357016460000000", as_served=False, memory="0",
                source={"kind": "entities", "view": "flights", "instants": ["-1", "1357016400000000"], "from": "0", "to": "1"}),
        message("join of versions", "join", 11, **plain, service="eta", features=[], event_time="at", known_at=None, as_served=False,
                memory="0", source={"kind": "versions", "view": "flights", "known_at": "5", "from": "0", "to": "1"}),
        message("backfill", "backfill", 12, timeout=timeout_, view="flights", missing_is_null=True, event_time="at",
                availability_time="known", schema=written),
        message("backfill of rows that differ", "backfill", 12, timeout=timeout_, view="flights", missing_is_null=False, event_time="at",
                availability_time="", schema=mixed),
        # A null, an absent feature, a deletion, a retraction, a value; of `gate` no column says what is carried: it is absent, then "B7".
        message("upload rows that differ", "upload rows", 12, compressed=False, schema=mixed, columns={"rows": 5, "columns": [
            ["UA"] * 5, ["1545"] * 5, [str(1357016400000000 + number) for number in range(5)],
            [None, "row", "deletion", "retraction", None], [None, None, None, None, f64(2)], [True, False, False, None, True],
            [None, None, None, None, "B7"]]}),
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
