"""The opening of a connection, without input or output: what to send, given what came."""

from __future__ import annotations

from ..errors import NotAuthenticated
from ..settings import CLIENT_NAME, Settings
from . import kinds, messages
from .frames import Frame
from .primitives import Payload, violation
from .scram import ScramClient


class Opening:
    """Begins with `hello`; `feed` gives the next message to send, or None, and `is_done` tells when the session is open."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._scram: ScramClient | None = None
        self.welcome: messages.Welcome | None = None
        self.authenticated: messages.Authenticated | None = None
        self.is_done = False

    def first(self) -> tuple[int, Payload]:
        return kinds.HELLO, messages.hello(CLIENT_NAME)

    def feed(self, frame: Frame) -> tuple[int, Payload] | None:
        if frame.kind == kinds.ERROR:
            raise messages.read_error(frame.payload)
        if frame.request_id != 0:
            raise violation("an answer before the session is open")
        if frame.kind == kinds.WELCOME and self.welcome is None:
            self.welcome = messages.Welcome.read(frame.payload)
            if self.welcome.mechanisms:
                return self._authenticate(self.welcome.mechanisms)
            self.is_done = True
            return None
        if frame.kind == kinds.CHALLENGE and self._scram is not None:
            data = self._scram.final(messages.read_challenge(frame.payload))
            return kinds.AUTHENTICATE, messages.authenticate("SCRAM-SHA-256", data)
        if frame.kind == kinds.AUTHENTICATED and self.welcome is not None:
            self.authenticated = messages.Authenticated.read(frame.payload)
            if self._scram is not None:
                self._scram.verify(self.authenticated.data)
            self.is_done = True
            return None
        raise violation(f"a message of kind {frame.kind} in the opening")

    def _authenticate(self, mechanisms: list[str]) -> tuple[int, Payload]:
        given = self._settings
        if given.token is not None and "BEARER" in mechanisms:
            return kinds.AUTHENTICATE, messages.authenticate("BEARER", given.token.encode())
        if given.user is not None and given.password is not None and "SCRAM-SHA-256" in mechanisms:
            self._scram = ScramClient(given.user, given.password)
            return kinds.AUTHENTICATE, messages.authenticate("SCRAM-SHA-256", self._scram.first())
        if given.has_certificate and "CERTIFICATE" in mechanisms:
            return kinds.AUTHENTICATE, messages.authenticate("CERTIFICATE", b"")
        wanted = {"BEARER": "token=", "SCRAM-SHA-256": "user= and password=", "CERTIFICATE": "cert= and key="}
        ways = [wanted[name] for name in mechanisms if name in wanted]
        raise NotAuthenticated(
            "the server wants to know who asks",
            place=given.address,
            hint=f"connect with {' or '.join(ways)}" if ways else f"it knows only {', '.join(mechanisms)}",
        )
