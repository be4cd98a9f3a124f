"""The asyncio client against the server that misbehaves."""

import asyncio
import datetime
import time

import numpy as np
import pyarrow as pa
import pytest
import whencedb
import whencedb.aio
from fake_server import FakeServer, frame
from test_client import FAST, NOW, ROWS, spine
from whencedb.wire import kinds


def run(server, work, **options):
    """Runs `work(client)` on a loop of its own; nothing may hang."""

    async def connected():
        async with await whencedb.aio.connect(server.address, **({"retries": FAST, "timeout": 5} | options)) as client:
            return await work(client)

    return asyncio.run(asyncio.wait_for(connected(), 30))


@pytest.fixture
def server():
    with FakeServer() as server:
        yield server


def test_what_was_written_is_read_by_many_at_once_on_one_connection(server):
    async def work(client):
        committed = await client.write("drivers", ROWS)
        assert committed.rows == 2
        answers = await asyncio.gather(*(client.get("eta", [1 + number % 2]) for number in range(200)))
        assert [answer["speed"][0] for answer in answers] == [10.5, 20.25] * 100
        assert await client.ping() > 0
        assert (await client.describe("eta")).join_keys == {"driver": "int64"}

    run(server, work)
    assert server.connections == 1


def test_joins_and_reads_go_on_beside_each_other(server):
    async def work(client):
        await client.write("drivers", ROWS)
        given = pa.concat_tables([spine(100_000)] * 2)
        joined, answer = await asyncio.gather(client.as_of(given, "eta"), client.get("eta", [2]))
        assert len(joined) == 200_000 and joined["speed"].to_pylist()[:3] == [None, 10.5, 20.25]
        assert joined.to_arrow().select(given.column_names).equals(given)
        assert answer["speed"][0] == 20.25

    run(server, work)


def test_a_prepared_read_is_numpy_in_and_out(server):
    async def work(client):
        await client.write("drivers", ROWS)
        read = await client.prepare("eta")
        for _ in range(3):
            columns = await read.read(np.array([2, 1]))
            assert columns["speed"].tolist() == [20.25, 10.5] and columns["trips"].tolist() == [0, 3]
        assert (await read([1]))["speed"][0] == 10.5 and len(await read(list(range(20_000)))) == 20_000
        answers = await read.many([[1], [2], [1, 2]] * 100, in_flight=64)
        assert [answer["speed"].tolist() for answer in answers] == [[10.5], [20.25], [10.5, 20.25]] * 100
        assert await read.many([]) == []
        with pytest.raises(whencedb.InputError, match="in_flight=0"):
            await read.many([[1]], in_flight=0)
        server.errors = [(1003, 0)]
        with pytest.raises(whencedb.InputError, match="told to"):
            await read.many([[1], [2], [1]])
        assert len(await read.many([[1], [2]])) == 2
        assert "driver: int64" in repr(read)

    run(server, work)
    assert server.connections == 1


def test_many_reads_are_on_their_way_before_the_first_answer(server):
    async def work(client):
        await client.write("drivers", ROWS)
        read = await client.prepare("eta")
        await read([1])
        waiting = []

        def answer(request_id, reader):
            waiting.append(server._online_read(request_id, reader))
            return [waiting.pop() for _ in range(len(waiting))] if len(waiting) == 4 else []

        server.answer[kinds.ONLINE_READ] = answer
        assert [a["speed"][0] for a in await read.many([[1], [2], [2], [1]], in_flight=4)] == [10.5, 20.25, 20.25, 10.5]

    run(server, work)


def test_a_question_that_is_too_long_is_not_sent():
    async def work(client):
        with pytest.raises(whencedb.InputError, match="takes 65536"):
            await (await client.prepare("eta")).many([[1], list(range(10_000))])

    with FakeServer(longest_payload=65_536) as server:
        run(server, work)
    assert kinds.ONLINE_READ not in server.kinds_heard()


def test_who_the_server_is_and_whom_it_takes_this_client_for(server):
    async def work(client):
        return client.server, client.user

    assert run(server, work) == ("fake 1", None)
    with FakeServer(["BEARER"]) as other:
        assert run(other, work, token="secret") == ("fake 1", ("ann", ["reader"]))


@pytest.mark.parametrize("credit", [1, 1000])
def test_an_upload_waits_for_credit(credit):
    async def work(client):
        assert len(await client.as_of(pa.concat_tables([spine(70_000)] * 3), "eta")) == 210_000

    with FakeServer(upload_credit=credit) as server:
        run(server, work)


def test_leaving_a_loop_cancels(server):
    async def work(client):
        await client.write("drivers", ROWS)
        batches = client.as_of_batches(pa.concat_tables([spine(20_000)] * 6), "eta")
        async for batch in batches:
            assert batch.column("label")[1].as_py() == "row 1"
            break
        await batches.aclose()
        assert (await client.get("eta", [1]))["speed"][0] == 10.5

    run(server, work)
    assert kinds.CANCEL in server.kinds_heard()


def test_a_cancelled_task_cancels_its_request(server):
    async def work(client):
        await client.ping()
        server.silent = True
        task = asyncio.ensure_future(client.ping(timeout=20))
        while server.kinds_heard().count(kinds.PING) < 2:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        server.silent = False
        assert await client.ping() > 0

    run(server, work)
    assert kinds.CANCEL in server.kinds_heard()


def test_a_silent_server_is_not_waited_for(server):
    async def work(client):
        server.silent = True
        begun = time.monotonic()
        with pytest.raises(whencedb.DeadlineExceeded):
            await client.ping(timeout=0.05)
        assert time.monotonic() - begun < 4

    run(server, work)


def test_opening_a_connection_counts_too(server):
    async def work(client):
        await client.ping()
        for connection in client._connections:
            connection.close()
        # Nobody welcomes the next one.
        server._serve = lambda _: None
        begun = time.monotonic()
        with pytest.raises(whencedb.DeadlineExceeded):
            await client.ping(timeout=0.2)
        assert time.monotonic() - begun < 2

    run(server, work)


def test_a_lost_answer_is_one_write(server):
    async def work(client):
        await client.describe(["drivers.*"])
        await client._described(whencedb.calls.selection(["drivers.*"]))
        server.lose_answers = 1
        assert (await client.write("drivers", ROWS)).is_repeat

    run(server, work)
    assert len(server.commits) == 1


def test_overloaded_is_repeated_and_others_are_not(server):
    async def work(client):
        server.errors = [(4003, 1)]
        assert await client.ping() > 0
        server.errors = [(4005, 0)]
        with pytest.raises(whencedb.NotAllowed):
            await client.ping()
        server.errors = [(4003, 1)] * 10
        with pytest.raises(whencedb.Overloaded):
            await client.ping()

    run(server, work)


def test_a_damaged_frame_ends_whatever_is_open(server):
    async def work(client):
        good = frame(kinds.PONG, 1, bytes(8))
        server.answer[kinds.PING] = lambda *_: [good[:-1] + b"\1"]
        with pytest.raises(whencedb.ProtocolError):
            await client.ping()
        del server.answer[kinds.PING]
        assert await client.ping() > 0

    run(server, work)
    assert server.connections == 2


def test_a_wrong_spine_is_refused_here_and_a_wrong_table_of_a_backfill_cancels(server):
    async def work(client):
        with pytest.raises(whencedb.InputError):
            await client.as_of({"driver": [1], "event_time": [datetime.datetime(2024, 1, 1)]}, "eta")
        server.answer[kinds.BACKFILL] = lambda *_: []
        tables = iter([{"driver": [1], "event_time": [NOW], "speed": [1.0]}, {"driver": [1], "event_time": [NOW]}])
        with pytest.raises(whencedb.InputError, match="other columns"):
            await client.backfill("drivers", tables)
        assert await client.ping() > 0

    run(server, work)
    assert kinds.CANCEL in server.kinds_heard()


def test_who_asks():
    async def work(client):
        assert await client.ping() > 0

    with FakeServer(["SCRAM-SHA-256", "BEARER"]) as server:
        run(server, work, user="ann", password="pencil")
        run(server, work, token="secret")
        with pytest.raises(whencedb.NotAuthenticated):
            run(server, work, token="guess")
        with pytest.raises(whencedb.NotAuthenticated):
            run(server, work)


def test_nobody_is_there():
    async def work():
        with pytest.raises(whencedb.ConnectionLost):
            await whencedb.aio.connect("127.0.0.1:1", retries=1)

    asyncio.run(work())
