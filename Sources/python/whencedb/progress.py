"""Progress bars, where there is somebody to look at them and the work is long."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import aclosing, closing
from dataclasses import replace
from typing import Any

import pyarrow as pa

from .calls import StreamCall

# Work that is done sooner shows nothing.
_DELAY_SECONDS = 1.0


class Bar:
    """A bar of tqdm, or nothing: without tqdm, without a terminal or notebook, or where `wanted` is False."""

    def __init__(self, what: str, total: int | None, unit: str = "rows", wanted: bool | None = None) -> None:
        self._bar: Any = None
        if wanted is False or (wanted is None and not is_watched()):
            return
        try:
            from tqdm.auto import tqdm
        except ImportError:
            return
        self._bar = tqdm(desc=what, total=total, unit=f" {unit}", unit_scale=True, delay=0 if wanted else _DELAY_SECONDS, leave=False)

    def advance(self, count: int) -> None:
        if self._bar is not None:
            self._bar.update(count)

    def show(self, progress: tuple[int, int, str]) -> None:
        """What the server says of its own progress: done, in all (0: not known), unit."""
        if self._bar is not None:
            done, total, unit = progress
            self._bar.total, self._bar.unit = total or None, f" {unit}"
            self._bar.update(done - self._bar.n)

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()


def counted(call: StreamCall, bar: Bar) -> StreamCall:
    """The same call, with its upload shown as it goes."""
    made = call.upload
    assert made is not None

    def upload(longest: int) -> Iterator[tuple[Any, int]]:
        for payload, rows in made(longest):
            yield payload, rows
            bar.advance(rows)

    return replace(call, upload=upload)


def shown(
    batches: Generator[pa.RecordBatch, None, None], what: str, total: int | None, wanted: bool | None
) -> Generator[pa.RecordBatch, None, None]:
    """The same batches, shown as they come. Leaving the loop leaves theirs."""
    with Bar(what, total, wanted=wanted) as bar, closing(batches):
        for batch in batches:
            bar.advance(batch.num_rows)
            yield batch


async def shown_async(
    batches: AsyncGenerator[pa.RecordBatch, None], what: str, total: int | None, wanted: bool | None
) -> AsyncGenerator[pa.RecordBatch, None]:
    """As `shown`."""
    with Bar(what, total, wanted=wanted) as bar:
        async with aclosing(batches):
            async for batch in batches:
                bar.advance(batch.num_rows)
                yield batch


def is_watched() -> bool:
    """Whether this is a terminal or a notebook."""
    if "ipykernel" in sys.modules:
        return True
    try:
        return sys.stderr.isatty()
    except (AttributeError, ValueError):
        return False
