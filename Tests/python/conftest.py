"""A real server for the tests that have one: the `whence` that the environment variable WHENCE_BIN names."""

import os
import re
import select
import signal
import subprocess
import time

import pytest
import whencedb

WHENCE = os.environ.get("WHENCE_BIN", "")
FAST = whencedb.Retries(attempts=5, first_seconds=0.02, longest_seconds=0.1)

DEFINITIONS = """
entities:
  - name: driver
    join_keys: [{ name: driver, type: int64 }]
  - name: route
    join_keys: [{ name: origin, type: string }, { name: stop, type: int64 }]
views:
  - name: trips
    entity: driver
    ttl: 6h
    features:
      - { name: speed, type: float64 }
      - { name: count, type: int64 }
      - { name: car, type: string }
  - name: shifts
    entity: driver
    features:
      - { name: hours, type: float32 }
  - name: roads
    entity: route
    features:
      - { name: flag, type: bool }
      - { name: small, type: int32 }
      - { name: large, type: int64 }
      - { name: half, type: float32 }
      - { name: full, type: float64 }
      - { name: text, type: string }
      - { name: raw, type: bytes }
      - { name: seen, type: timestamp }
      - { name: embedding, type: vector<3> }
      - { name: words, type: list<string> }
      - { name: numbers, type: list<int64> }
services:
  - name: eta
    features:
      - { view: trips, select: [speed, count], prefix: "" }
      - { view: shifts, select: [hours], prefix: "" }
  - name: everything
    features: [{ view: roads, prefix: "" }]
"""


class Server:
    """`whence serve` on a port of its own."""

    def __init__(self, folder, *options):
        self.folder = folder
        command = [WHENCE, "serve", "--data", str(folder / "store"), "--listen", "127.0.0.1:0"]
        command += [*(() if "--http-listen" in options else ("--http-listen", "off")), *map(str, options)]
        self.log = (folder / "log.txt").open("wb")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log)
        self.address = self._listening()

    def _listening(self):
        limit = time.monotonic() + 30
        line = b""
        while time.monotonic() < limit and not line.endswith(b"\n"):
            if select.select([self.process.stdout], [], [], 0.2)[0]:
                piece = os.read(self.process.stdout.fileno(), 4096)
                if not piece:
                    break
                line += piece
        found = re.search(r"listening on ([\w.:\[\]]+)", line.decode())
        if not found:
            self.stop()
            raise AssertionError(f"the server did not start: {line!r}\n{(self.folder / 'log.txt').read_text()[-2000:]}")
        http = re.search(r"http on ([\w.:\[\]]+)", line.decode())
        self.http = http[1].rstrip(",") if http else None
        return found[1].rstrip(",")

    def connect(self, **options):
        return whencedb.connect(self.address, **({"retries": FAST, "timeout": 20} | options))

    def stop(self):
        """Ends it as an operator would. Returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()
        self.log.close()
        return self.process.returncode


def need_whence():
    if not WHENCE:
        pytest.skip("WHENCE_BIN is not set: there is no server to ask")


@pytest.fixture(scope="session")
def whence():
    need_whence()
    return WHENCE


@pytest.fixture(scope="module")
def server(whence, tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("server"))
    with server.connect() as client:
        client.apply(DEFINITIONS)
    yield server
    status = server.stop()
    assert status == 0, (server.folder / "log.txt").read_text()[-2000:]


@pytest.fixture
def client(server):
    with server.connect() as client:
        yield client


@pytest.fixture
def start(whence, tmp_path):
    """Starts servers with options of their own; the folder is the test's."""
    servers = []

    def started(*options):
        servers.append(Server(tmp_path, *options))
        return servers[-1]

    yield started
    for server in servers:
        server.stop()


def pytest_terminal_summary(terminalreporter):
    if not WHENCE:
        terminalreporter.write_line("WHENCE_BIN is not set: nothing was tried against a real server", yellow=True)
