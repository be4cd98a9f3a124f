#!/usr/bin/env python3
"""Writes users.json: a users file, and who opens a session with it, worked out with hashlib and hmac from users.md, RFC 5802 and RFC 7677."""
import base64
import hashlib
import hmac
import json
import pathlib


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def password(text: str, salt: bytes, iterations: int) -> str:
    salted = hashlib.pbkdf2_hmac("sha256", text.encode(), salt, iterations)
    client = hmac.digest(salted, b"Client Key", "sha256")
    stored = hashlib.sha256(client).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    return f"SCRAM-SHA-256${iterations}:{b64(salt)}${b64(stored)}:{b64(server)}"


def token_hash(secret: str, salt: bytes) -> str:
    return f"SHA-256${b64(salt)}${b64(hmac.digest(salt, secret.encode(), 'sha256'))}"


def proof(text: str, user: str, salt: bytes, iterations: int, client_nonce: str, server_nonce: str) -> dict:
    first_bare = f"n={user},r={client_nonce}"
    challenge = f"r={client_nonce}{server_nonce},s={b64(salt)},i={iterations}"
    without_proof = f"c=biws,r={client_nonce}{server_nonce}"
    message = f"{first_bare},{challenge},{without_proof}".encode()
    salted = hashlib.pbkdf2_hmac("sha256", text.encode(), salt, iterations)
    client = hmac.digest(salted, b"Client Key", "sha256")
    signature = hmac.digest(hashlib.sha256(client).digest(), message, "sha256")
    server = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), message, "sha256")
    return {
        "client_first": f"n,,{first_bare}",
        "server_nonce": server_nonce,
        "challenge": challenge,
        "client_final": f"{without_proof},p={b64(bytes(a ^ b for a, b in zip(client, signature)))}",
        "server_final": f"v={b64(server)}",
    }


def main() -> None:
    salt = bytes(range(16))
    key = bytes(range(100, 132))
    secret = base64.urlsafe_b64encode(bytes(range(200, 232))).decode().rstrip("=")
    text = "correct horse battery"
    file = f"""format: whence-users-1
stand_in_key: "{b64(key)}"
iterations: 4096
users:
  - name: "eta"
    password: "{password(text, salt, 4096)}"
    tokens:
      - id: "0123456789abcdef"
        label: "laptop"
        hash: "{token_hash(secret, salt)}"
        created: "2026-01-01T00:00:00Z"
        expires: "2026-02-01T00:00:00Z"
    grants:
      - {{role: reader, views: "weather*"}}
"""
    stand_in_salt = hmac.digest(key, b"salt nobody", "sha256")[:16]
    vectors = {
        "file": file,
        "rfc7677": proof("pencil", "user", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096, "rOprNGfwEbeRWgbNEkqO", "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"),
        "scram": proof(text, "eta", salt, 4096, "fyko+d2lbbFgONRv9qkxdawL", "3rfcNHYJY1ZVvWVs7j"),
        "stand_in": {
            "client_first": "n,,n=nobody,r=fyko+d2lbbFgONRv9qkxdawL",
            "server_nonce": "3rfcNHYJY1ZVvWVs7j",
            "challenge": f"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s={b64(stand_in_salt)},i=4096",
        },
        "tokens": [
            {"token": f"whence_0123456789abcdef_{secret}", "at": "2026-01-15T00:00:00Z", "accepted": True},
            {"token": f"whence_0123456789abcdef_{secret}", "at": "2026-02-01T00:00:00Z", "accepted": False},
            {"token": f"whence_0123456789abcdee_{secret}", "at": "2026-01-15T00:00:00Z", "accepted": False},
            {"token": f"whence_0123456789abcdef_{'A' + secret[1:]}", "at": "2026-01-15T00:00:00Z", "accepted": False},
            {"token": f"whence_0123456789abcdef_{secret[:-1]}", "at": "2026-01-15T00:00:00Z", "accepted": False},
            {"token": f"Whence_0123456789abcdef_{secret}", "at": "2026-01-15T00:00:00Z", "accepted": False},
            {"token": "", "at": "2026-01-15T00:00:00Z", "accepted": False},
        ],
        "grants": [
            {"action": "read", "view": "weather", "allowed": True},
            {"action": "read", "view": "weather_hourly", "allowed": True},
            {"action": "read", "view": "flights", "allowed": False},
            {"action": "write", "view": "weather", "allowed": False},
            {"action": "administer", "view": "weather", "allowed": False},
        ],
    }
    path = pathlib.Path(__file__).with_name("users.json")
    path.write_text(json.dumps(vectors, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
