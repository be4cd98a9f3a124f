"""One connection over a blocking caller's socket, used by one thread at a time."""

from __future__ import annotations

import os
import select
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

from .calls import Call, StreamCall
from .errors import ConnectionLost, DeadlineExceeded, InputError, ProtocolError, WhenceError
from .settings import GRACE_SECONDS, OPENING_SECONDS, WINDOW_BYTES, Settings, told
from .wire import kinds, messages
from .wire.frames import Frame, FrameAssembler, frame_parts
from .wire.opening import Opening
from .wire.primitives import Payload, violation
from .wire.streams import Stream

_PARTS_AT_ONCE = 64
# The system counts what it waits in so many milliseconds as an int has.
_LONGEST_WAIT_SECONDS = 86_400


def lost(message: str, settings: Settings) -> ConnectionLost:
    return ConnectionLost(message, place=settings.address, retryable=True, hint="is the server running there?")


def lost_in_opening(error: Exception | None, settings: Settings, is_welcome: bool) -> ConnectionLost:
    """What is known where a connection ends before it is open. `error` is None where the server closed it."""
    if isinstance(error, ssl.SSLError):
        # The handshake went well on this side: with TLS 1.3 a server looks at the client's certificate after that.
        wanted = "of an authority that the server knows" if settings.has_certificate else "if the server wants to know its clients"
        return ConnectionLost(
            f"the server refused TLS with this client: {error}", place=settings.address, hint=f"give cert= and key= {wanted}"
        )
    if settings.tls is None and not is_welcome:
        told = "the server closed the connection without a word" if error is None else f"the connection was lost at once: {error}"
        return ConnectionLost(
            told, place=settings.address, retryable=error is not None, hint="does it speak TLS? then connect with tls=True, or ca="
        )
    return lost("the server closed the connection" if error is None else f"the connection was lost: {error}", settings)


def refused_certificate(error: ssl.SSLError, settings: Settings) -> ConnectionLost:
    hint = "ca= names the authority of the server's certificate, server_name= the name in it"
    if error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"):
        hint = "what is there does not speak TLS: leave out tls=, ca= and cert=, or is it another port?"
    return ConnectionLost(f"no TLS with the server: {error}", place=settings.address, hint=hint)


class Connection:
    """A connection that is open. Any error but the server's answer to a request leaves it unusable: `is_usable` tells."""

    def __init__(self, settings: Settings, deadline: float | None = None) -> None:
        """Connects and authenticates. Throws `ConnectionLost`, `NotAuthenticated`, `Overloaded`, `ProtocolError`."""
        self._settings = settings
        self._assembler = FrameAssembler()
        self._out: deque[Any] = deque()
        # Frames that came while something was sent.
        self._frames: deque[Frame] = deque()
        self._is_draining = False
        # Until the session is open.
        self._opening: Opening | None = None
        self._last_id = 0
        self.is_usable = False
        self.idle_since = time.monotonic()
        #: The semaphore of the pool that has a slot for this connection.
        self.slots: Any = None
        self._process = os.getpid()
        limit = time.monotonic() + OPENING_SECONDS
        limit = limit if deadline is None else min(limit, deadline)
        self._socket = self._connected(limit)
        try:
            self._is_tls = isinstance(self._socket, ssl.SSLSocket)
            self._readable = select.poll()
            self._readable.register(self._socket, select.POLLIN)
            self._both = select.poll()
            self._both.register(self._socket, select.POLLIN | select.POLLOUT)
            self._open(limit)
        except BaseException:
            self._socket.close()
            raise

    def _connected(self, limit: float) -> socket.socket:
        settings = self._settings
        plain: socket.socket | None = None
        try:
            plain = socket.create_connection((settings.host, settings.port), max(0.01, limit - time.monotonic()))
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if settings.tls is not None:
                plain = settings.tls.wrap_socket(plain, server_hostname=settings.server_name or settings.host)
            plain.setblocking(False)
            return plain
        except ssl.SSLError as error:
            if plain is not None:
                plain.close()
            raise refused_certificate(error, settings) from None
        except OSError as error:
            if plain is not None:
                plain.close()
            raise lost(f"no connection: {error}", settings) from None

    def _open(self, limit: float) -> None:
        opening = self._opening = Opening(self._settings)
        kind, payload = opening.first()
        self._send(frame_parts(kind, 0, payload), limit)
        while not opening.is_done:
            answer = opening.feed(self._receive(limit))
            if answer is not None:
                self._send(frame_parts(answer[0], 0, answer[1]), limit)
        assert opening.welcome is not None
        self.welcome = opening.welcome
        self.authenticated = opening.authenticated
        self._opening = None
        self._assembler.longest = messages.LONGEST_PAYLOAD
        self.is_usable = True

    def close(self) -> None:
        self.is_usable = False
        self._socket.close()

    def seems_alive(self) -> bool:
        """Whether an idle connection is still there: a server has nothing to say on it but that it ends."""
        return self.is_usable and not self._readable.poll(0)

    # Requests that are answered by one message

    def call(self, call: Call[Any], timeout: float | None, on_progress: Callable[[tuple[int, int, str]], None] | None = None) -> Any:
        microseconds, deadline = limits(timeout)
        payload = call.encode(microseconds)
        self.check(payload.size)
        request_id = self.next_id()
        frame = self.exchange(frame_parts(call.kind, request_id, payload), request_id, deadline, on_progress)
        return self._understood(call.result, frame)

    def exchange(
        self,
        parts: list[Any],
        request_id: int,
        deadline: float | None,
        on_progress: Callable[[tuple[int, int, str]], None] | None = None,
    ) -> Frame:
        """Sends a frame and waits for its answer. Throws the server's error."""
        self.is_usable = False
        self._send(parts, deadline)
        while True:
            frame = self._receive(deadline)
            if frame.request_id == request_id:
                if frame.kind == kinds.PROGRESS:
                    if on_progress is not None:
                        on_progress(messages.read_progress(frame.payload))
                    continue
                break
            self._heard_of_the_connection(frame)
        self.is_usable = not self._is_draining
        if frame.kind == kinds.ERROR:
            raise messages.read_error(frame.payload)
        return frame

    def exchange_many(
        self, frames: list[bytes], first_id: int, timeout: float | None, accept: Callable[[int, Frame], None], in_flight: int
    ) -> None:
        """Pipelining: requests of consecutive ids go out, `in_flight` of them before the first answer; answers come in any order."""
        self.is_usable = False
        sent, answered, count = 0, 0, len(frames)
        failure: WhenceError | None = None
        while answered < count:
            while sent < count and sent - answered < in_flight and len(self._out) < _PARTS_AT_ONCE:
                self._out.append(frames[sent])
                sent += 1
            frame = self._pump(limits(timeout)[1])
            if not first_id <= frame.request_id < first_id + sent:
                self._heard_of_the_connection(frame)
                continue
            answered += 1
            if frame.kind == kinds.ERROR:
                failure = failure or messages.read_error(frame.payload)
                # What is on its way is awaited, so that the connection can be used again; nothing more is asked.
                count = sent
            elif failure is None:
                accept(frame.request_id - first_id, frame)
        self.is_usable = not self._is_draining
        if failure is not None:
            raise failure

    def check(self, size: int) -> None:
        """Throws `InputError` for a payload that the server would close the connection over."""
        longest = self.welcome.longest_payload
        if size > longest:
            raise InputError(f"the request takes {size} bytes, and the server takes {longest}", code=1004, hint="send less at once")

    def next_id(self) -> int:
        self._last_id = self._last_id % 0xFFFF_FFFF + 1
        return self._last_id

    def reserve_ids(self, count: int) -> int:
        """The first of so many consecutive ids."""
        if self._last_id + count > 0xFFFF_FFFF:
            self._last_id = 0
        first = self._last_id + 1
        self._last_id += count
        return first

    # Streams

    def stream(self, call: StreamCall, timeout: float | None, started: Callable[[Stream], None]) -> Iterator[pa.RecordBatch]:
        """The batches of a stream, as they come; `started` is given the state once the schema is there. Leaving early cancels it."""
        microseconds, deadline = limits(timeout)
        longest = self.welcome.longest_payload
        state = Stream(WINDOW_BYTES, call.upload(longest) if call.upload else None, self.welcome.upload_credit)
        payload = call.encode(microseconds, WINDOW_BYTES)
        self.check(payload.size)
        request_id = self.next_id()
        self.is_usable = False
        self._out.extend(frame_parts(call.kind, request_id, payload))
        known = False
        # Whether the last frame was the server's own end of the request.
        answered = False
        try:
            while not state.is_done:
                frame = self._pump(deadline, state, request_id)
                if frame.request_id != request_id:
                    self._heard_of_the_connection(frame)
                    continue
                answered = frame.kind == kinds.ERROR
                batch = state.feed(frame)
                if not known and (state.schema is not None or state.is_done):
                    known = True
                    started(state)
                if batch is not None:
                    yield batch
                if due := state.credit_due():
                    self._out.extend(frame_parts(kinds.CREDIT_TO_SERVER, request_id, Payload().u32(due)))
            self._flush(deadline)
            self.is_usable = not self._is_draining
        except GeneratorExit:
            self._cancel(request_id, state)
            raise
        except WhenceError as error:
            if answered:
                # The server's own answer: the rest of a frame that is half sent belongs to a request that is closed, and is ignored.
                self._flush(deadline)
                self.is_usable = not self._is_draining
            elif not isinstance(error, (ConnectionLost, ProtocolError, DeadlineExceeded)):
                # The upload could not be made.
                self._cancel(request_id, state)
            raise

    def _cancel(self, request_id: int, state: Stream) -> None:
        """Ends a stream early, and reads what was on its way: as much as its credit allows, within a moment."""
        if self._process != os.getpid():
            # The stream is that of the process that this one is a fork of, and goes on there.
            self.close()
            return
        deadline = time.monotonic() + GRACE_SECONDS
        try:
            self._out.extend(frame_parts(kinds.CANCEL, request_id, Payload()))
            while True:
                frame = self._pump(deadline)
                if frame.request_id != request_id:
                    self._heard_of_the_connection(frame)
                elif frame.kind in (kinds.END, kinds.ERROR, kinds.COMMITTED):
                    break
            self.is_usable = not self._is_draining
        except WhenceError:
            self.close()

    # Input and output

    def _heard_of_the_connection(self, frame: Frame) -> None:
        if frame.request_id == 0 and frame.kind == kinds.DRAINING:
            self._is_draining = True
        elif frame.request_id == 0 and frame.kind == kinds.ERROR:
            raise messages.read_error(frame.payload)
        else:
            raise violation(f"an answer to request {frame.request_id}, which is not open")

    def _understood(self, read: Callable[[Frame], Any], frame: Frame) -> Any:
        try:
            return read(frame)
        except ProtocolError:
            self.close()
            raise

    def _send(self, parts: list[Any], deadline: float | None) -> None:
        self._out.extend(parts)
        self._flush(deadline)

    def _flush(self, deadline: float | None) -> None:
        while self._out:
            if not self._send_some():
                # A server that does not read may be waiting for its own answers to be read: they are kept for later.
                self._wait(self._both, deadline)
                self._receive_some()
                while (frame := self._assembler.next()) is not None:
                    self._frames.append(frame)

    def _receive(self, deadline: float | None) -> Frame:
        """The next frame. The assembler is asked first: it may hold several."""
        if self._frames:
            return self._frames.popleft()
        assembler = self._assembler
        while (frame := assembler.next()) is None:
            if not self._receive_some():
                self._wait(self._readable, deadline)
        return frame

    def _pump(self, deadline: float | None, state: Stream | None = None, request_id: int = 0) -> Frame:
        """The next frame, while what is to be sent goes out. Neither waits for the other: both sides may be full at once."""
        if self._frames:
            return self._frames.popleft()
        while (frame := self._assembler.next()) is None:
            if not self._out and state is not None and (piece := state.next_upload()) is not None:
                self._out.extend(frame_parts(piece[0], request_id, piece[1]))
            sent = bool(self._out) and self._send_some()
            if not self._receive_some() and not sent:
                self._wait(self._both if self._out else self._readable, deadline)
        return frame

    def _send_some(self) -> bool:
        """Sends what the socket takes; False when it takes nothing now."""
        out = self._out
        try:
            if self._is_tls:
                count = self._socket.send(out[0])
            elif len(out) == 1:
                count = self._socket.send(out[0])
            else:
                count = self._socket.sendmsg([out[i] for i in range(min(len(out), _PARTS_AT_ONCE))])
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        except OSError as error:
            raise self._ended(error) from None
        while count:
            size = _size(out[0])
            if count < size:
                out[0] = memoryview(out[0]).cast("B")[count:]
                break
            count -= size
            out.popleft()
        return True

    def _receive_some(self) -> bool:
        """Takes what is there; False when that is nothing."""
        try:
            count = self._socket.recv_into(self._assembler.room())
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        except OSError as error:
            raise self._ended(error) from None
        if count == 0:
            raise self._ended(None)
        self._assembler.received(count)
        return True

    def _ended(self, error: OSError | None) -> ConnectionLost:
        """The error of a connection that ended: it failed, or the server closed it."""
        if self._opening is None:
            self.close()
            return lost("the server closed the connection" if error is None else f"the connection was lost: {error}", self._settings)
        if self._is_tls and error is not None and "ALERT" not in str(error):
            # What the server said before it went may still be there to be read, where something could not be sent.
            try:
                self._socket.recv(1)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                pass
            except ssl.SSLError as alert:
                error = alert
            except (OSError, ValueError):
                pass
        self.close()
        return lost_in_opening(error, self._settings, self._opening.welcome is not None)

    def _wait(self, poll: select.poll, deadline: float | None) -> None:
        if deadline is None:
            poll.poll()
            return
        left = deadline - time.monotonic()
        if left <= 0 or not poll.poll(min(left, _LONGEST_WAIT_SECONDS) * 1000):
            if time.monotonic() >= deadline:
                self.close()
                raise DeadlineExceeded(
                    "the server did not answer in time", place=self._settings.address, retryable=True, hint="ask with a longer timeout="
                )


def _size(part: Any) -> int:
    return len(part) if isinstance(part, bytes) else memoryview(part).nbytes


def limits(timeout: float | None) -> tuple[int, float | None]:
    """What the server is told, in microseconds, and when this side stops waiting for its answer."""
    if timeout is None:
        return 0, None
    return told(timeout), time.monotonic() + timeout + GRACE_SECONDS
