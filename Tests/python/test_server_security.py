"""Who may ask, against a real server: tokens, passwords, certificates."""

import asyncio
import datetime
import json
import shutil
import subprocess
import time
import urllib.request

import pytest
import whencedb
import whencedb.aio
from conftest import DEFINITIONS, Server

NOW = datetime.datetime.now(datetime.timezone.utc)


def user(whence, file, *arguments, password=None):
    done = subprocess.run([whence, "user", *arguments, "--users", str(file)], input=password, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def users(whence, tmp_path):
    file = tmp_path / "users.yaml"
    user(whence, file, "add", "ann", "--grant", "admin", "--grant", "writer", "--grant", "reader", password="pencil-and-paper\n")
    user(whence, file, "add", "bob", "--no-password", "--grant", "reader:trips")
    return file


def test_passwords_tokens_and_roles(whence, start, users):
    token = user(whence, users, "token", "bob").split()[-1]
    server = start("--users", users)
    with server.connect(user="ann", password="pencil-and-paper") as ann:
        assert ann.user[0] == "ann"
        ann.apply(DEFINITIONS)
        ann.write("trips", {"driver": [1], "speed": [2.0]}, NOW)
        with server.connect(token=token) as bob:
            assert bob.get(["trips.speed"], [1])["trips.speed"][0] == 2.0
            with pytest.raises(whencedb.NotAllowed):
                bob.write("trips", {"driver": [1], "speed": [3.0]}, NOW)
            with pytest.raises(whencedb.NotAllowed):
                bob.get(["shifts.hours"], [1])
    for wrong in (
        {"user": "ann", "password": "pencil-and-pepper"},
        {"user": "eve", "password": "pencil-and-paper"},
        {"token": token[:-1] + "x"},
        {},
    ):
        with pytest.raises(whencedb.NotAuthenticated):
            server.connect(**wrong)


def test_after_many_wrong_passwords_a_login_waits(whence, start, users):
    token = user(whence, users, "token", "bob").split()[-1]
    server = start("--users", users, "--limits-login-failures", 2, "--limits-login-window", "1h")
    for _ in range(2):
        with pytest.raises(whencedb.NotAuthenticated) as wrong:
            server.connect(user="ann", password="pencil-and-pepper")
        assert not wrong.value.retryable
    with pytest.raises(whencedb.NotAuthenticated, match="not tried") as untried:
        server.connect(user="ann", password="pencil-and-paper")
    assert untried.value.retryable and untried.value.retry_after > 60
    server.connect(token=token).close()


def openssl(folder, *arguments):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=60)


def certificate(folder, name, subject, names, days=("-days", "2")):
    (folder / f"{name}.ext").write_text(f"subjectAltName={names}\n")
    openssl(folder, "req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={subject}")
    openssl(
        folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", *days,
        "-out", f"{name}.pem", "-extfile", f"{name}.ext",
    )  # fmt: skip


def test_tls_and_certificates(whence, start, users, tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make certificates with")
    openssl(
        tmp_path, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=ca"
    )
    certificate(tmp_path, "server", "localhost", "DNS:localhost")
    certificate(tmp_path, "client", "ann", "DNS:ann")
    files = {name: str(tmp_path / name) for name in ("ca.pem", "server.pem", "server.key", "client.pem", "client.key")}
    server = start(
        "--tls-certificate", files["server.pem"], "--tls-key", files["server.key"], "--tls-client-authorities", files["ca.pem"],
        "--tls-client-certificates", "optional", "--users", users,
    )  # fmt: skip
    known = {"ca": files["ca.pem"], "server_name": "localhost"}
    with server.connect(**known, user="ann", password="pencil-and-paper") as client:
        client.apply(DEFINITIONS)
        rows = 8_000
        client.write("trips", {"driver": list(range(rows)), "speed": [1.0] * rows}, NOW)
        spine = {"driver": list(range(rows)), "event_time": [NOW] * rows}
        assert client.as_of(spine, "eta")["speed"].null_count == 0
    with server.connect(**known, cert=files["client.pem"], key=files["client.key"]) as client:
        assert client.user[0] == "ann"
    with pytest.raises(whencedb.ConnectionLost, match="TLS"):
        server.connect(ca=files["ca.pem"], server_name="elsewhere", user="ann", password="pencil-and-paper", retries=1)
    with pytest.raises(whencedb.ConnectionLost, match="TLS"):
        server.connect(tls=True, server_name="localhost", user="ann", password="pencil-and-paper", retries=1)

    async def the_same():
        async with await whencedb.aio.connect(server.address, **known, cert=files["client.pem"], key=files["client.key"]) as client:
            assert (await client.get(["trips.speed"], [7]))["trips.speed"][0] == 1.0
        with pytest.raises(whencedb.ConnectionLost, match="TLS"):
            await whencedb.aio.connect(
                server.address, ca=files["ca.pem"], server_name="elsewhere", user="ann", password="x" * 12, retries=1
            )

    asyncio.run(the_same())


def both_clients(server):
    """`connect` of each, which closes what it opened."""

    async def opened(options):
        await (await whencedb.aio.connect(server.address, **options)).close()

    return [lambda **options: server.connect(**options).close(), lambda **options: asyncio.run(opened(options))]


def test_a_client_with_tls_where_there_is_none_and_the_other_way(whence, start, authority, tmp_path_factory):
    certificate(authority, "server", "localhost", "DNS:localhost")
    secured = start("--tls-certificate", authority / "server.pem", "--tls-key", authority / "server.key")
    plain = Server(tmp_path_factory.mktemp("plain"))
    patient = whencedb.Retries(attempts=5, first_seconds=30, longest_seconds=30)
    try:
        for connect in both_clients(secured):
            begun = time.monotonic()
            with pytest.raises(whencedb.ConnectionLost, match="without a word") as raised:
                connect(retries=patient)
            # It would not go better another time.
            assert "tls=True" in raised.value.hint and not raised.value.retryable and time.monotonic() - begun < 10
        for connect in both_clients(plain):
            with pytest.raises(whencedb.ConnectionLost, match="no TLS with the server") as raised:
                connect(ca=str(authority / "ca.pem"), retries=patient)
            assert "does not speak TLS" in raised.value.hint and not raised.value.retryable
    finally:
        plain.stop()


@pytest.fixture
def authority(tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make certificates with")
    openssl(
        tmp_path, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=ca"
    )
    return tmp_path


def test_a_certificate_that_has_expired(whence, start, users, authority):
    certificate(authority, "server", "localhost", "DNS:localhost", days=("-days", "-1"))
    server = start("--tls-certificate", authority / "server.pem", "--tls-key", authority / "server.key", "--users", users)
    with pytest.raises(whencedb.ConnectionLost, match="expired"):
        server.connect(ca=str(authority / "ca.pem"), server_name="localhost", user="ann", password="pencil-and-paper", retries=1)


def test_a_client_without_the_right_certificate(whence, start, users, authority):
    certificate(authority, "server", "localhost", "DNS:localhost")
    certificate(authority, "nobody", "nobody", "DNS:nobody")
    (authority / "other").mkdir()
    openssl(
        authority, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "other/ann.key", "-out", "other/ann.pem", "-subj", "/CN=ann"
    )
    server = start(
        "--tls-certificate", authority / "server.pem", "--tls-key", authority / "server.key", "--tls-client-authorities",
        authority / "ca.pem", "--users", users,
    )  # fmt: skip
    known = {"ca": str(authority / "ca.pem"), "server_name": "localhost", "retries": 1, "timeout": 5}
    none = {"user": "ann", "password": "pencil-and-paper"}
    # Of the right name, and signed by itself.
    other = {"cert": str(authority / "other/ann.pem"), "key": str(authority / "other/ann.key")}
    for connect in both_clients(server):
        for given, wanted in ((none, "wants to know its clients"), (other, "of an authority that the server knows")):
            with pytest.raises(whencedb.ConnectionLost, match="the server refused TLS with this client") as refused:
                connect(**known, **given)
            assert "cert=" in refused.value.hint and wanted in refused.value.hint and not refused.value.retryable
    # Of the right authority, for nobody who is known.
    with pytest.raises(whencedb.NotAuthenticated):
        server.connect(**known, cert=str(authority / "nobody.pem"), key=str(authority / "nobody.key"))


def test_a_reader_that_writes_is_refused_counted_and_recorded(whence, start, users, tmp_path):
    audit = tmp_path / "audit.jsonl"
    token = user(whence, users, "token", "bob").split()[-1]
    server = start("--users", users, "--audit-log", audit, "--http-listen", "127.0.0.1:0")
    with server.connect(user="ann", password="pencil-and-paper") as ann, server.connect(token=token) as bob:
        ann.apply(DEFINITIONS)
        said = set()
        for write in (bob.write, bob.backfill, bob.delete):
            table = {"driver": [1]} if write == bob.delete else {"driver": [1], "speed": [4.25]}
            with pytest.raises(whencedb.NotAllowed) as refused:
                write("trips", table, NOW)
            assert not refused.value.retryable and "4.25" not in str(refused.value)
            said.add(str(refused.value))
        assert len(said) == 1
        assert len(ann.history("trips", {"driver": 1})) == 0
        records = [json.loads(line) for line in audit.read_text().splitlines()]
        refusals = [record for record in records if record["event"] == "grant_refused"]
        assert [(record["user"], record["operation"], record["result"]) for record in refusals] == [
            ("bob", "write", "notAllowed"), ("bob", "backfill", "notAllowed"), ("bob", "write", "notAllowed"),
        ]  # fmt: skip
        assert "4.25" not in audit.read_text() and token not in audit.read_text()
        with urllib.request.urlopen(f"http://{server.http}/metrics", timeout=10) as page:
            metrics = page.read().decode()
    assert 'whence_requests_total{operation="write",code="4005"} 2' in metrics
    assert 'whence_requests_total{operation="backfill",code="4005"} 1' in metrics
