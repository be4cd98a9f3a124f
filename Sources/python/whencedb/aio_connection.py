"""One connection on an event loop: many requests are open on it at once, and their answers come in any order."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import Any

import pyarrow as pa

from .calls import Call, StreamCall
from .connection import lost, lost_in_opening, refused_certificate
from .errors import ConnectionLost, DeadlineExceeded, InputError, ProtocolError, WhenceError
from .settings import GRACE_SECONDS, OPENING_SECONDS, WINDOW_BYTES, Settings, told
from .wire import kinds, messages
from .wire.frames import Frame, FrameAssembler, frame_parts, small_frame
from .wire.opening import Opening
from .wire.primitives import Payload, violation
from .wire.streams import Stream

_LAST = frozenset((kinds.ERROR, kinds.END, kinds.COMMITTED, kinds.DOCUMENT, kinds.PONG, kinds.ANSWER))


class _Unary:
    """A request that waits for its one answer."""

    __slots__ = ("answer", "on_progress")

    def __init__(self, answer: asyncio.Future[Frame], on_progress: Callable[[tuple[int, int, str]], None] | None) -> None:
        self.answer = answer
        self.on_progress = on_progress

    def hear(self, frame: Frame) -> None:
        if frame.kind == kinds.PROGRESS:
            if self.on_progress is not None:
                self.on_progress(messages.read_progress(frame.payload))
        elif not self.answer.done():
            self.answer.set_result(frame)

    def fail(self, error: WhenceError) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class _Streamed:
    """A request that is answered by a stream. Its frames wait until they are taken; only credit acts at once."""

    def __init__(self, state: Stream) -> None:
        self.state = state
        self.frames: deque[Frame] = deque()
        self.error: WhenceError | None = None
        self.came = asyncio.Event()
        self.credit = asyncio.Event()

    def hear(self, frame: Frame) -> None:
        if frame.kind == kinds.CREDIT:
            self.state.feed(frame)
            self.credit.set()
        else:
            self.frames.append(frame)
            self.came.set()

    def fail(self, error: WhenceError) -> None:
        self.error = self.error or error
        self.came.set()
        self.credit.set()


class AsyncConnection(asyncio.BufferedProtocol):
    """Made by `open`. Once `is_usable` is False it takes no new requests."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._assembler = FrameAssembler()
        self._opening = Opening(settings)
        loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[None] = loop.create_future()
        self._closed: asyncio.Future[None] = loop.create_future()
        self._transport: Any = None
        self._open: dict[int, _Unary | _Streamed] = {}
        # Requests that nobody waits for any more, until their last answer.
        self._left: set[int] = set()
        self._writable = asyncio.Event()
        self._writable.set()
        self._last_id = 0
        self.is_usable = False

    @classmethod
    async def open(cls, settings: Settings) -> AsyncConnection:
        loop = asyncio.get_running_loop()
        options: dict[str, Any] = {}
        if settings.tls is not None:
            options = {"ssl": settings.tls, "server_hostname": settings.server_name or settings.host}

        async def opened() -> AsyncConnection:
            connection: AsyncConnection
            _, connection = await loop.create_connection(lambda: cls(settings), settings.host, settings.port, **options)
            try:
                await connection._opened
            except BaseException:
                connection.close()
                raise
            return connection

        try:
            return await asyncio.wait_for(opened(), OPENING_SECONDS)
        except ssl.SSLError as error:
            raise refused_certificate(error, settings) from None
        except (asyncio.TimeoutError, OSError) as error:
            if isinstance(error, WhenceError):
                raise
            raise lost(f"no connection: {error or 'nobody answered in time'}", settings) from None

    # asyncio.BufferedProtocol

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        kind, payload = self._opening.first()
        transport.write(b"".join(bytes(part) for part in frame_parts(kind, 0, payload)))

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._assembler.room()

    def buffer_updated(self, nbytes: int) -> None:
        try:
            self._assembler.received(nbytes)
            while (frame := self._assembler.next()) is not None:
                self._hear(frame)
        except WhenceError as error:
            self._fail(error)

    def connection_lost(self, error: Exception | None) -> None:
        if self._opened.done():
            self._fail(lost(f"the connection was lost: {error}" if error else "the server closed the connection", self._settings))
        else:
            self._fail(lost_in_opening(error, self._settings, self._opening.welcome is not None))
        if not self._closed.done():
            self._closed.set_result(None)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # What came

    def _hear(self, frame: Frame) -> None:
        if not self._opened.done():
            answer = self._opening.feed(frame)
            if answer is not None:
                self._transport.writelines(frame_parts(answer[0], 0, answer[1]))
            if self._opening.is_done:
                assert self._opening.welcome is not None
                self.welcome = self._opening.welcome
                self.authenticated = self._opening.authenticated
                self._assembler.longest = messages.LONGEST_PAYLOAD
                self.is_usable = True
                self._opened.set_result(None)
            return
        waiting = self._open.get(frame.request_id)
        if waiting is not None:
            waiting.hear(frame)
        elif frame.request_id in self._left:
            if frame.kind in _LAST:
                self._left.discard(frame.request_id)
        elif frame.request_id == 0 and frame.kind == kinds.DRAINING:
            self.is_usable = False
            self._close_when_idle()
        elif frame.request_id == 0 and frame.kind == kinds.ERROR:
            self._fail(messages.read_error(frame.payload))
        else:
            self._fail(violation(f"an answer to request {frame.request_id}, which is not open"))

    def _fail(self, error: WhenceError) -> None:
        self.is_usable = False
        if not self._opened.done():
            self._opened.set_exception(error)
        for waiting in list(self._open.values()):
            waiting.fail(error)
        self._writable.set()
        if self._transport is not None:
            self._transport.abort()

    # Requests

    @property
    def load(self) -> int:
        """How many requests are open."""
        return len(self._open)

    @property
    def has_stream(self) -> bool:
        return any(isinstance(waiting, _Streamed) for waiting in self._open.values())

    def close(self) -> None:
        self.is_usable = False
        if self._transport is not None:
            self._transport.abort()

    async def wait_closed(self) -> None:
        await self._closed

    async def call(self, call: Call[Any], timeout: float | None, on_progress: Callable[[tuple[int, int, str]], None] | None = None) -> Any:
        payload = call.encode(told(timeout))
        self.check(payload.size)
        frame = await self._asked(lambda request_id: frame_parts(call.kind, request_id, payload), timeout, on_progress)
        try:
            return call.result(frame)
        except ProtocolError as error:
            self._fail(error)
            raise

    async def exchange(self, kind: int, payload: bytes, timeout: float | None) -> Frame:
        """A small request whose payload is there."""
        self.check(len(payload))
        return await self._asked(lambda request_id: [small_frame(kind, request_id, payload)], timeout, None)

    async def _asked(
        self, parts: Callable[[int], list[Any]], timeout: float | None, on_progress: Callable[[tuple[int, int, str]], None] | None
    ) -> Frame:
        request_id = self._next_id()
        waiting = _Unary(asyncio.get_running_loop().create_future(), on_progress)
        self._open[request_id] = waiting
        try:
            self._write(parts(request_id))
            if timeout is None:
                frame = await waiting.answer
            else:
                frame = await asyncio.wait_for(waiting.answer, timeout + GRACE_SECONDS)
        except asyncio.TimeoutError as error:
            if isinstance(error, WhenceError):
                raise
            raise DeadlineExceeded(
                "the server did not answer in time", place=self._settings.address, retryable=True, hint="ask with a longer timeout="
            ) from None
        finally:
            self._done(request_id, waiting.answer.done() and not waiting.answer.cancelled())
        if frame.kind == kinds.ERROR:
            raise messages.read_error(frame.payload)
        return frame

    async def stream(
        self, call: StreamCall, timeout: float | None, started: Callable[[Stream], None]
    ) -> AsyncGenerator[pa.RecordBatch, None]:
        """The batches of a stream, as they are taken. Leaving early, or being cancelled, cancels it at the server."""
        longest = self.welcome.longest_payload
        state = Stream(WINDOW_BYTES, call.upload(longest) if call.upload else None, self.welcome.upload_credit)
        payload = call.encode(told(timeout), WINDOW_BYTES)
        self.check(payload.size)
        request_id, waiting = self._next_id(), _Streamed(state)
        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout + GRACE_SECONDS
        self._open[request_id] = waiting
        uploader: asyncio.Task[None] | None = None
        known = False
        ended = False
        try:
            self._write(frame_parts(call.kind, request_id, payload))
            if call.upload:
                uploader = asyncio.ensure_future(self._upload(request_id, waiting))
            while not state.is_done:
                frame = await self._next_frame(waiting, deadline)
                ended = frame.kind in _LAST
                batch = state.feed(frame)
                if not known and (state.schema is not None or state.is_done):
                    known = True
                    started(state)
                if batch is not None:
                    yield batch
                if due := state.credit_due():
                    self._write(frame_parts(kinds.CREDIT_TO_SERVER, request_id, Payload().u32(due)))
        except ProtocolError as error:
            if not ended or frame.kind != kinds.ERROR:
                self._fail(error)
            raise
        finally:
            if uploader is not None:
                uploader.cancel()
                with suppress(asyncio.CancelledError):
                    await uploader
            self._done(request_id, ended)

    async def _next_frame(self, waiting: _Streamed, deadline: float | None) -> Frame:
        while not waiting.frames:
            if waiting.error is not None:
                raise waiting.error
            waiting.came.clear()
            if deadline is None:
                await waiting.came.wait()
                continue
            try:
                await asyncio.wait_for(waiting.came.wait(), max(0, deadline - asyncio.get_running_loop().time()))
            except asyncio.TimeoutError:
                raise DeadlineExceeded(
                    "the server did not answer in time", place=self._settings.address, retryable=True, hint="ask with a longer timeout="
                ) from None
        return waiting.frames.popleft()

    async def _upload(self, request_id: int, waiting: _Streamed) -> None:
        """Sends the upload as credit and the socket allow. What goes wrong in making it is the stream's error."""
        state = waiting.state
        try:
            while not state.is_done and self._open.get(request_id) is waiting:
                waiting.credit.clear()
                piece = state.next_upload()
                if piece is None:
                    await waiting.credit.wait()
                    if waiting.error is not None:
                        return
                    continue
                self._write(frame_parts(piece[0], request_id, piece[1]))
                await self._writable.wait()
                # Answers are as urgent as what is sent.
                await asyncio.sleep(0)
        except WhenceError as error:
            waiting.fail(error)

    def _done(self, request_id: int, was_answered: bool) -> None:
        self._open.pop(request_id, None)
        if not was_answered and self.is_usable:
            self._left.add(request_id)
            with suppress(ConnectionLost):
                self._write(frame_parts(kinds.CANCEL, request_id, Payload()))
        if not self.is_usable:
            self._close_when_idle()

    def _close_when_idle(self) -> None:
        if not self._open and self._transport is not None:
            self._transport.close()

    def _write(self, parts: list[Any]) -> None:
        if self._transport.is_closing():
            raise lost("the connection was lost", self._settings)
        self._transport.writelines([part if isinstance(part, bytes) else memoryview(part).cast("B") for part in parts])

    def check(self, size: int) -> None:
        """Throws `InputError` for a payload that the server would close the connection over."""
        longest = self.welcome.longest_payload
        if size > longest:
            raise InputError(f"the request takes {size} bytes, and the server takes {longest}", code=1004, hint="send less at once")

    def _next_id(self) -> int:
        while True:
            self._last_id = self._last_id % 0xFFFF_FFFF + 1
            if self._last_id not in self._open and self._last_id not in self._left:
                return self._last_id
