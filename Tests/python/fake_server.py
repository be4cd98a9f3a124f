"""A small server for the tests of what goes wrong: it holds the features of drivers in a dict, and misbehaves when told to.

It reads requests with code of its own, so that what the client sends is checked by something else than what made it.
"""

import base64
import contextlib
import hashlib
import hmac
import json
import socket
import struct
import threading
import time

import google_crc32c
import pyarrow as pa
from whencedb.wire import kinds
from whencedb.wire.columns import read_columns, write_columns
from whencedb.wire.primitives import Payload, PayloadReader
from whencedb.wire.types import WireSchema, WireType, schema_id

SERVICE = {
    "name": "eta",
    "version": 1,
    "join_keys": [{"name": "driver", "type": "int64"}],
    "features": [{"name": "speed", "type": "float64"}, {"name": "trips", "type": "int64"}],
    "views": ["drivers"],
}
VIEW = SERVICE | {
    "name": "",
    "version": 0,
    "features": [{"name": "drivers.speed", "type": "float64"}, {"name": "drivers.trips", "type": "int64"}],
}
FEATURES = WireSchema([("speed", WireType.named("float64")), ("trips", WireType.named("int64"))])


def frame(kind, request_id, payload, flags=0):
    rest = struct.pack("<BBHI", kind, flags, 0, request_id) + payload
    return struct.pack("<II", 4 + len(rest), google_crc32c.value(rest)) + rest


def joined(payload):
    return b"".join(bytes(memoryview(part)) for part in payload.finished())


class FakeServer:
    """Listens on loopback until closed. What it may be told:

    - `errors`: (code, milliseconds) that the next requests are answered with;
    - `cut_after`: closes the connection after so many bytes were sent in all;
    - `lose_answers`: so many requests are done, and the connection closed instead of answered;
    - `silent`: requests are never answered;
    - `answer`: replaces the answer of a kind: function of (request id, reader) that gives frames.
    """

    def __init__(self, mechanisms=(), upload_credit=8 << 20, longest_payload=16 << 20, open_requests=64):
        self.mechanisms = list(mechanisms)
        self.upload_credit = upload_credit
        self.longest_payload = longest_payload
        self.open_requests = open_requests
        self.rows = {}
        self.commits = {}
        self.errors = []
        self.cut_after = None
        self.lose_answers = 0
        self.silent = False
        self.answer = {}
        self.heard = []
        self.connections = 0
        self.wrong_signature = False
        self.frames_of_join = 5
        self.credit_given = 0
        self.sent = 0
        self._lock = threading.Lock()
        self._sockets = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def kinds_heard(self):
        return [kind for kind, _ in self.heard]

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            self._sockets.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with contextlib.suppress(OSError, EOFError):
            try:
                self._converse(client)
            finally:
                client.close()

    def _converse(self, client):
        stream = client.makefile("rb")
        kind, _, payload = self._read(stream)
        assert kind == kinds.HELLO and payload[:4] == b"WHNC"
        welcome = Payload().u16(1).u16(0).u32(self.longest_payload).u32(self.open_requests).u32(self.upload_credit)
        welcome.string("fake 1").names(self.mechanisms)
        self._send(client, frame(kinds.WELCOME, 0, joined(welcome)))
        if self.mechanisms and not self._authenticated(client, stream):
            return
        open_joins = {}
        while True:
            kind, request_id, payload = self._read(stream)
            self.heard.append((kind, bytes(payload)))
            if kind in (kinds.CANCEL, kinds.CREDIT_TO_SERVER, kinds.ROWS_TO_SERVER, kinds.END_TO_SERVER):
                self._go_on(client, open_joins, kind, request_id, payload)
                continue
            if self.silent:
                continue
            if self.errors:
                self._send(client, self.error(request_id, *self.errors.pop(0)))
                continue
            frames = self._answer(open_joins, kind, request_id, PayloadReader(payload, 8))
            if self.lose_answers:
                self.lose_answers -= 1
                return
            for each in frames:
                self._send(client, each)

    def _read(self, stream):
        head = stream.read(16)
        if len(head) < 16:
            raise EOFError
        length, crc, kind, flags, zero, request_id = struct.unpack("<IIBBHI", head)
        payload = stream.read(length - 12)
        if len(payload) < length - 12:
            raise EOFError
        assert google_crc32c.value(head[8:] + payload) == crc, "the client sent a wrong checksum"
        assert flags == 0 and zero == 0
        return kind, request_id, payload

    def _send(self, client, data):
        if self.cut_after is not None and self.sent + len(data) > self.cut_after:
            client.sendall(data[: max(0, self.cut_after - self.sent)])
            self.sent = self.cut_after
            raise EOFError
        # Counted first: a client may have its answer before this goes on.
        self.sent += len(data)
        client.sendall(data)

    def error(self, request_id, code, milliseconds=0, message="told to"):
        retryable = code in (3004, 3007, 3008, 4001, 4003, 4008)
        payload = Payload().u32(code).flag(retryable).u32(milliseconds).string(message).string("here").string("mend it")
        return frame(kinds.ERROR, request_id, joined(payload))

    # The opening

    def _authenticated(self, client, stream):
        kind, _, payload = self._read(stream)
        assert kind == kinds.AUTHENTICATE
        reader = PayloadReader(payload)
        mechanism, data = reader.string(), reader.bytes()
        final = b""
        if mechanism == "BEARER":
            right = data == b"secret"
        elif mechanism == "SCRAM-SHA-256":
            right, final = self._scram(client, stream, data.decode())
        else:
            right = mechanism == "CERTIFICATE"
        if not right:
            self._send(client, self.error(0, 4004, message="the server does not know you"))
            return False
        done = Payload().string("ann").names(["reader"]).bytes(final)
        self._send(client, frame(kinds.AUTHENTICATED, 0, joined(done)))
        return True

    def _scram(self, client, stream, first):
        bare = first.removeprefix("n,,")
        nonce = bare.split("r=")[1] + "server"
        salt = b"0123456789abcdef"
        challenge = f"r={nonce},s={base64.b64encode(salt).decode()},i=4096"
        self._send(client, frame(kinds.CHALLENGE, 0, joined(Payload().bytes(challenge.encode()))))
        reader = PayloadReader(self._read(stream)[2])
        reader.string()
        final = reader.bytes().decode()
        without, proof = final.rsplit(",p=", 1)
        salted = hashlib.pbkdf2_hmac("sha256", b"pencil", salt, 4096)
        message = ",".join((bare, challenge, without)).encode()
        stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
        signature = hmac.digest(stored, message, "sha256")
        key = bytes(a ^ b for a, b in zip(base64.b64decode(proof), signature, strict=True))
        mine = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), message, "sha256")
        if self.wrong_signature:
            mine = bytes(32)
        return hashlib.sha256(key).digest() == stored, b"v=" + base64.b64encode(mine)

    # Requests

    def _answer(self, open_joins, kind, request_id, reader):
        if kind in self.answer:
            return self.answer[kind](request_id, reader)
        match kind:
            case kinds.PING:
                return [frame(kinds.PONG, request_id, struct.pack("<q", time.time_ns() // 1000))]
            case kinds.DESCRIBE:
                service, features = reader.string(), reader.list(4, 100, reader.string)
                if not features and service != "eta":
                    return [self.error(request_id, 2003)]
                document = json.dumps(VIEW if features else SERVICE)
                return [frame(kinds.DOCUMENT, request_id, joined(Payload().string(document, 1 << 20)))]
            case kinds.STATS:
                return [frame(kinds.DOCUMENT, request_id, joined(Payload().string('{"views": []}')))]
            case kinds.COMPACT:
                progress = frame(kinds.PROGRESS, request_id, joined(Payload().u64(1).u64(2).string("files")))
                return [progress, frame(kinds.DOCUMENT, request_id, joined(Payload().string("{}")))]
            case kinds.WRITE:
                return [self._write(request_id, reader)]
            case kinds.ONLINE_READ:
                return [self._online_read(request_id, reader)]
            case kinds.JOIN:
                return self._join(open_joins, request_id, reader)
        raise AssertionError(f"the fake server does not know kind {kind}")

    def _write(self, request_id, reader):
        key = reader.bytes()
        parts = reader.u32()
        assert parts == 1
        view, action, _, event_time, _ = reader.string(), reader.u8(), reader.flag(), reader.string(), reader.string()
        schema = WireSchema.read(reader)
        arrays, rows, end = read_columns(pa.py_buffer(reader.data), reader.offset, schema)
        assert end == reader.size and view == "drivers" and event_time in schema.names
        with self._lock:
            repeats = key in self.commits
            if not repeats:
                self.commits[key] = len(self.commits) + 1
                columns = dict(zip(schema.names, arrays, strict=True))
                for row in range(rows):
                    driver = columns["driver"][row].as_py()
                    if action == 0:
                        known = self.rows.setdefault(driver, {})
                        known.update({name: columns[name][row].as_py() for name in ("speed", "trips") if name in columns})
                    else:
                        self.rows.pop(driver, None)
            payload = struct.pack("<qBQ", self.commits[key], repeats, rows)
        return frame(kinds.COMMITTED, request_id, payload)

    def _online_read(self, request_id, reader):
        known, what, zero = reader.u64(), reader.u8(), reader.u8() + reader.u16()
        assert zero == 0 and what == 0
        reader.string(), reader.list(4, 100, reader.string)
        keys = WireSchema.read(reader)
        (drivers,), rows, end = read_columns(pa.py_buffer(reader.data), reader.offset, keys)
        assert end == reader.size
        found = [self.rows.get(driver.as_py(), {}) for driver in drivers]
        identity = schema_id(joined(FEATURES.write(Payload())))
        payload = Payload().i64(1_700_000_000_000_000).u64(identity).flag(known != identity)
        if known != identity:
            FEATURES.write(payload)
        write_columns(payload, [pa.array([row.get(name) for row in found], kind.arrow) for name, kind in FEATURES], FEATURES)
        return frame(kinds.ANSWER, request_id, joined(payload))

    def _join(self, open_joins, request_id, reader):
        credit, _, _ = reader.u32(), reader.u32(), reader.flag()
        reader.string(), reader.list(4, 100, reader.string)
        event_time = reader.string()
        known_at, _, _, source = reader.option_i64(), reader.flag(), reader.u64(), reader.u8()
        assert source == 0
        spine = WireSchema.read(reader)
        assert event_time in spine.names
        schema = WireSchema([*spine, *FEATURES])
        open_joins[request_id] = state = {
            "spine": spine, "schema": schema, "credit": credit, "waiting": [], "rows": 0, "uploaded": 0, "ended": False,
        }  # fmt: skip
        assert state["credit"] > 0
        pin = Payload().option_i64(known_at or 42)
        return [frame(kinds.SCHEMA, request_id, joined(schema.write(pin)))]

    def _go_on(self, client, open_joins, kind, request_id, payload):
        """What a client says for an open join. Rows go back as they came, with features beside them, as far as credit goes."""
        state = open_joins.get(request_id)
        if state is None:
            return
        if kind == kinds.CANCEL:
            del open_joins[request_id]
            self._send(client, self.error(request_id, 4002))
            return
        if kind == kinds.CREDIT_TO_SERVER:
            state["credit"] += struct.unpack("<I", payload)[0]
        elif kind == kinds.ROWS_TO_SERVER:
            arrays, rows, end = read_columns(pa.py_buffer(payload), 0, state["spine"])
            assert end == len(payload)
            drivers = arrays[state["spine"].names.index("driver")].to_pylist()
            found = [self.rows.get(driver, {}) for driver in drivers]
            features = [pa.array([row.get(name) for row in found], kind_.arrow) for name, kind_ in FEATURES]
            state["waiting"].append(joined(write_columns(Payload(), [*arrays, *features], state["schema"])))
            state["rows"] += rows
            self._send(client, frame(kinds.CREDIT, request_id, struct.pack("<I", 16 + len(payload))))
            self.credit_given += 16 + len(payload)
        else:
            assert struct.unpack("<Q", payload)[0] == state["rows"]
            state["ended"] = True
        while state["waiting"] and state["credit"] > 0:
            data = frame(kinds.ROWS, request_id, state["waiting"].pop(0))
            state["credit"] -= len(data)
            self._send(client, data)
        if state["ended"] and not state["waiting"]:
            del open_joins[request_id]
            self._send(client, frame(kinds.END, request_id, struct.pack("<Q", state["rows"])))
