"""SCRAM-SHA-256 (RFC 5802, RFC 7677), the client's side, without channel binding."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import unicodedata

from ..errors import NotAuthenticated

# A server that asks for more would keep the client busy for minutes.
_MOST_ITERATIONS = 10_000_000
_LEAST_ITERATIONS = 4096


class ScramClient:
    """One authentication: `first`, then `final` of what the server said, then `verify` of its last word."""

    def __init__(self, user: str, password: str, nonce: str | None = None) -> None:
        # RFC 4013 (SASLprep) begins with this; what else it does touches characters that passwords hardly have.
        self._password = unicodedata.normalize("NFKC", password).encode()
        self._nonce = nonce or secrets.token_urlsafe(24)
        name = unicodedata.normalize("NFKC", user).replace("=", "=3D").replace(",", "=2C")
        self._bare = f"n={name},r={self._nonce}"
        self._signature = b""

    def first(self) -> bytes:
        return f"n,,{self._bare}".encode()

    def final(self, server_first: bytes) -> bytes:
        """The client-final-message. Throws `NotAuthenticated` where the server's message is none."""
        fields = _fields(server_first)
        try:
            nonce, salt, iterations = fields["r"], base64.b64decode(fields["s"], validate=True), int(fields["i"])
        except (KeyError, ValueError):
            raise _refused("the server's challenge cannot be read") from None
        if not nonce.startswith(self._nonce) or len(nonce) == len(self._nonce):
            raise _refused("the server's challenge answers somebody else")
        if not _LEAST_ITERATIONS <= iterations <= _MOST_ITERATIONS:
            raise _refused(f"the server asks for {iterations} iterations")
        salted = hashlib.pbkdf2_hmac("sha256", self._password, salt, iterations)
        key = hmac.digest(salted, b"Client Key", "sha256")
        without_proof = f"c=biws,r={nonce}"
        message = ",".join((self._bare, server_first.decode(), without_proof)).encode()
        proof = hmac.digest(hashlib.sha256(key).digest(), message, "sha256")
        self._signature = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), message, "sha256")
        shown = bytes(a ^ b for a, b in zip(key, proof, strict=True))
        return f"{without_proof},p={base64.b64encode(shown).decode()}".encode()

    def verify(self, server_final: bytes) -> None:
        """Throws `NotAuthenticated` unless the server knows the password too."""
        try:
            shown = base64.b64decode(_fields(server_final)["v"], validate=True)
        except (KeyError, ValueError):
            raise _refused("the server did not prove that it knows the password") from None
        if not self._signature or not hmac.compare_digest(shown, self._signature):
            raise _refused("the server did not prove that it knows the password")


def _fields(message: bytes) -> dict[str, str]:
    try:
        parts = message.decode().split(",")
    except UnicodeDecodeError:
        raise _refused("the server's challenge is not UTF-8") from None
    return dict(part.split("=", 1) for part in parts if "=" in part)


def _refused(message: str) -> NotAuthenticated:
    return NotAuthenticated(message, place="SCRAM-SHA-256", hint="is this the right server?")
