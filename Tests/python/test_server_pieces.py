"""What is too long for one message of the server's goes in several, from both clients of Python."""

import asyncio
import datetime

import numpy as np
import pytest
import whencedb
import whencedb.aio
from conftest import DEFINITIONS, FAST

NOW = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1)
ROWS = 40_000
#: Mostly short, and some as long as a thousand others: no row is of the average length.
TRIPS = {
    "driver": list(range(ROWS)),
    "speed": [driver / 2 for driver in range(ROWS)],
    "car": ["x" * (20_000 if driver % 250 == 9 else 20) for driver in range(ROWS)],
}
ASKED = list(reversed(range(30_003))) + [ROWS + 5]
SPEEDS = [driver / 2 for driver in ASKED[:-1]] + [np.nan]


@pytest.fixture
def small(whence, start):
    """A server that takes messages of a mebibyte at most."""
    return start("--limits-frame", 1)


def test_a_large_write_and_a_large_read(small):
    with small.connect() as client:
        client.apply(DEFINITIONS)
        committed = client.write("trips", TRIPS, NOW, idempotency_key="load")
        assert (committed.rows, committed.is_repeat) == (ROWS, False)
        again = client.write("trips", TRIPS, NOW, idempotency_key="load")
        assert (again.rows, again.is_repeat, again.commit_time) == (ROWS, True, committed.commit_time)
        assert len(client.scan("trips", ["speed"])) == ROWS
        # Cut elsewhere the pieces hold other rows: they are written, and not taken for those before.
        assert not client.write("trips", TRIPS, NOW, idempotency_key="load", batch_rows=1_024).is_repeat
        for answer in (client.get("eta", ASKED), client.prepare("eta")(ASKED)):
            np.testing.assert_array_equal(answer["speed"], SPEEDS)
            assert len(answer) == len(ASKED) and answer["hours"].dtype == np.float32
            assert answer.valid("speed").sum() == len(ASKED) - 1
        assert client.get("eta", ASKED).to_arrow().column("driver").to_pylist() == ASKED
        cars = client.get(["trips.car"], list(range(1_000))).to_dicts()
        assert [len(row["trips.car"]) for row in cars] == [len(car) for car in TRIPS["car"][:1_000]]
        with pytest.raises(whencedb.InputError):
            client.write("trips", TRIPS, NOW, idempotency_key="k" * 89)


@pytest.mark.parametrize("first", [500, 1_024, 1_500])
def test_a_key_never_stands_for_rows_that_were_not_written(small, first):
    """As where a job was interrupted, and its successor cuts the table elsewhere."""
    table = {"driver": list(range(3_000)), "speed": [driver / 2 for driver in range(3_000)]}
    begun = {name: column[:first] for name, column in table.items()}
    with small.connect() as client:
        client.apply(DEFINITIONS)
        client.write("trips", begun, NOW, idempotency_key="load", batch_rows=512)
        for batch_rows in (1_024, 128, 0):
            assert client.write("trips", table, NOW, idempotency_key="load", batch_rows=batch_rows).rows == 3_000
            np.testing.assert_array_equal(client.get("eta", range(3_000))["speed"], table["speed"])


def test_the_same_with_asyncio(small):
    async def run():
        async with await whencedb.aio.connect(small.address, retries=FAST, timeout=20) as client:
            await client.apply(DEFINITIONS)
            committed = await client.write("trips", TRIPS, NOW, idempotency_key="load")
            again = await client.write("trips", TRIPS, NOW, idempotency_key="load")
            assert (committed.rows, committed.is_repeat, again.is_repeat) == (ROWS, False, True)
            answer = await client.get("eta", ASKED)
            np.testing.assert_array_equal(answer["speed"], SPEEDS)

    asyncio.run(run())


def test_a_row_that_is_too_long_is_named_and_what_was_written_said(small):
    with small.connect() as client:
        client.apply(DEFINITIONS)
        rows = {"driver": [1, 2, 3], "car": ["a", "b", "c" * 1_048_500]}
        with pytest.raises(whencedb.InputError, match="the server takes 1048576") as error:
            client.write("trips", rows, NOW)
        assert error.value.code == 1004 and "after 2 of 3 rows were committed" in error.value.place
        assert client.ping() > 0
