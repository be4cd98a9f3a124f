"""Who may ask, against a real server: tokens, passwords, certificates."""

import datetime
import shutil
import subprocess

import pytest
import whencedb
from conftest import DEFINITIONS

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


def certificate(folder, name, subject, names):
    (folder / f"{name}.ext").write_text(f"subjectAltName={names}\n")
    openssl(folder, "req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={subject}")
    openssl(
        folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
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
    with pytest.raises(whencedb.WhenceError):
        server.connect(user="ann", password="pencil-and-paper", retries=1, timeout=5)
