"""Where a server is, who asks, and how long anything may take."""

from __future__ import annotations

import random
import ssl
from dataclasses import dataclass, field

from .errors import InputError, WhenceError
from .version import __version__

DEFAULT_PORT = 9462
#: What clients call themselves.
CLIENT_NAME = f"whencedb {__version__} (python)"
#: After a deadline the server itself answers; so much later this side stops waiting for that.
GRACE_SECONDS = 2.0
OPENING_SECONDS = 10.0
LONGEST_TIMEOUT_SECONDS = 366 * 86_400.0
#: Credit of a stream: so much may be on its way before the reader has taken any of it.
WINDOW_BYTES = 64 << 20


@dataclass(frozen=True)
class Retries:
    """How often a request that is safe to repeat is tried, and how long is waited: twice as long each time, somewhat by chance, and never
    less than the server advises."""

    attempts: int = 5
    first_seconds: float = 0.05
    longest_seconds: float = 2.0

    def pause(self, error: WhenceError, attempt: int) -> float:
        """The seconds before attempt number `attempt` (from 2 on)."""
        backoff = min(self.longest_seconds, self.first_seconds * 2 ** (attempt - 2))
        return max(error.retry_after, backoff * random.uniform(0.5, 1.0))


@dataclass(frozen=True)
class Settings:
    """Everything that a connection is opened with."""

    host: str
    port: int
    token: str | None = field(default=None, repr=False)
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    has_certificate: bool = False
    server_name: str | None = None
    timeout: float | None = None
    retries: Retries = field(default_factory=Retries)

    def seconds(self, timeout: float | None) -> float | None:
        """What a call was given, or what the client was."""
        return self.timeout if timeout is None else checked_timeout(timeout)

    @property
    def address(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def checked_timeout(timeout: float | None, place: str = "timeout") -> float | None:
    """The seconds that a request may take, where they are a number that every clock and socket can count to."""
    try:
        if timeout is None or abs(timeout) <= LONGEST_TIMEOUT_SECONDS:
            return timeout
    except TypeError:
        pass
    raise InputError(f"a timeout of {timeout!r} seconds", place=place, hint="give a number, at most a year")


def check_pool_size(size: int) -> None:
    if not isinstance(size, int) or size < 1:
        raise InputError(f"a pool of {size!r} connections", place="connect", hint="give at least 1")


def told(seconds: float | None) -> int:
    """What the server is told of a timeout, in microseconds; 0 leaves it to the server."""
    return 0 if seconds is None else max(1, int(seconds * 1e6))


def parse_address(address: str) -> tuple[str, int]:
    """`HOST`, `HOST:PORT`, `[IPV6]:PORT`."""
    if not isinstance(address, str):
        raise InputError(f"{address!r} is no address", place="address", hint="write HOST, HOST:PORT or [IPV6]:PORT")
    host, port = address, ""
    if address.startswith("["):
        host, _, rest = address[1:].partition("]")
        port = rest.removeprefix(":")
    elif address.count(":") == 1:
        host, port = address.split(":")
    if not host or (port and not (port.isdigit() and 0 < int(port) < 65_536)):
        raise InputError(f"'{address}' is no address", place="address", hint="write HOST, HOST:PORT or [IPV6]:PORT")
    try:
        host.encode("idna")
    except UnicodeError:
        raise InputError(f"'{host}' is no name of a host", place="address") from None
    return host, int(port) if port else DEFAULT_PORT


def make_settings(
    address: str,
    *,
    token: str | None,
    user: str | None,
    password: str | None,
    tls: bool | ssl.SSLContext | None,
    ca: str | None,
    cert: str | None,
    key: str | None,
    server_name: str | None,
    timeout: float | None,
    retries: Retries | int | None,
) -> Settings:
    """Checks what `connect` was given."""
    host, port = parse_address(address)
    if token is not None and (user is not None or password is not None):
        raise InputError("a token and a password were given", place="connect", hint="give one of them")
    if (user is None) != (password is None):
        raise InputError("user and password belong together", place="connect")
    if key is not None and cert is None:
        raise InputError("a key without a certificate", place="connect", hint="give cert= too")
    if checked_timeout(timeout, "connect") is not None and timeout <= 0:  # type: ignore[operator]
        raise InputError(f"a timeout of {timeout} seconds", place="connect", hint="give a positive number, or None")
    context = tls if isinstance(tls, ssl.SSLContext) else None
    if context is None and (tls or (tls is None and (ca or cert))):
        context = _context(ca, cert, key)
    elif tls is False and (ca or cert):
        raise InputError("certificates without TLS", place="connect", hint="leave tls=False out")
    if isinstance(retries, int):
        retries = Retries(attempts=max(1, retries))
    return Settings(
        host,
        port,
        token,
        user,
        password,
        context,
        cert is not None,
        server_name,
        timeout,
        retries or Retries(),
    )


def _context(ca: str | None, cert: str | None, key: str | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if cert:
            context.load_cert_chain(cert, key)
        return context
    except (OSError, ssl.SSLError) as error:
        raise InputError(f"the certificates cannot be read: {error}", place=str(cert or ca)) from None
