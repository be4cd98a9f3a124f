"""The hot path of the asyncio client."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from .answer import Answer
from .calls import Description
from .prepared import Prepared, checked_in_flight
from .settings import told

if TYPE_CHECKING:
    from .aio import AsyncClient


class AsyncPreparedRead(Prepared):
    """An online read of one service, made by `AsyncClient.prepare`: as `PreparedRead`, awaited."""

    def __init__(self, client: AsyncClient, description: Description, event_times: bool, ages: bool) -> None:
        super().__init__(description, event_times, ages)
        self._client = client

    async def __call__(self, entities: Any, timeout: float | None = None) -> Answer:
        """The features of the entities, now."""
        client, known = self._client, self._known
        seconds = client._settings.seconds(timeout)
        payload = self._encoder.payload(entities, told(seconds), known.schema_id)
        if self._encoder.is_one(payload):
            return self._answer(await client._exchange(payload, seconds), known)
        answer, newer = await client._read_pieces(self._encoder, entities, known, seconds)
        if newer is not known:
            self._known = newer
        return answer

    async def read(self, entities: Any, timeout: float | None = None) -> dict[str, np.ndarray]:
        """The same as a dict of numpy arrays, by name of the feature."""
        return (await self(entities, timeout)).to_numpy()

    async def many(self, batches: Iterable[Any], timeout: float | None = None, in_flight: int = 32) -> list[Answer]:
        """Several reads at once: `in_flight` of them are on their way before the first answer."""
        client, known = self._client, self._known
        seconds = client._settings.seconds(timeout)
        payloads = [self._encoder.payload(entities, told(seconds), known.schema_id) for entities in batches]
        (await client._connection(seconds)).check(max(map(len, payloads), default=0))
        answers: list[Answer | None] = [None] * len(payloads)
        numbers = iter(range(len(payloads)))

        async def work() -> None:
            for number in numbers:
                answers[number] = self._answer(await client._exchange(payloads[number], seconds), known)

        most = min(checked_in_flight(in_flight), client._last.welcome.open_requests, len(payloads))
        tasks = [asyncio.ensure_future(work()) for _ in range(most)]
        try:
            await asyncio.gather(*tasks)
        finally:
            # Where one failed, the others are not waited for.
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return [answer for answer in answers if answer is not None]
