"""The client against a server that does what a network and a loaded server do: loses answers, refuses, falls silent, breaks frames."""

import datetime
import os
import signal
import threading
import time

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import whencedb
from fake_server import FakeServer, frame
from whencedb.settings import LONGEST_TIMEOUT_SECONDS
from whencedb.wire import kinds

NOW = datetime.datetime(2024, 5, 1, tzinfo=datetime.timezone.utc)
FAST = whencedb.Retries(attempts=4, first_seconds=0.01, longest_seconds=0.02)
ROWS = {"driver": [1, 2], "event_time": [NOW, NOW], "speed": [10.5, 20.25], "trips": [3, None]}


@pytest.fixture
def server():
    with FakeServer() as server:
        yield server


@pytest.fixture
def client(server):
    with whencedb.connect(server.address, retries=FAST, timeout=5, pool_size=4) as client:
        yield client


# What it is for


def test_a_row_that_was_written_is_read(client):
    committed = client.write("drivers", ROWS)
    assert (committed.rows, committed.is_repeat) == (2, False)
    answer = client.get("eta", {"driver": [2, 1, 7]})
    assert answer.to_arrow().to_pydict() == {"driver": [2, 1, 7], "speed": [20.25, 10.5, None], "trips": [None, 3, None]}
    np.testing.assert_array_equal(answer["speed"], [20.25, 10.5, np.nan])
    np.testing.assert_array_equal(answer["trips"], [0, 3, 0])
    np.testing.assert_array_equal(answer.valid("trips"), [False, True, False])
    np.testing.assert_array_equal(answer.matrix(), [[20.25, np.nan], [10.5, 3], [np.nan, np.nan]])
    assert answer.to_dicts()[1] == {"driver": 1, "speed": 10.5, "trips": 3}
    assert answer.to_polars()["trips"].to_list() == [None, 3, None]
    assert answer.to_pandas()["speed"].tolist()[:2] == [20.25, 10.5]


@pytest.mark.parametrize(
    "entities",
    [
        {"driver": [1, 2]},
        {"driver": np.array([1, 2])},
        {"driver": np.array([1, 2], np.int32)},
        {"driver": (1, 2)},
        {"driver": pa.array([1, 2])},
        {"driver": pd.Series([1, 2])},
        {"driver": pl.Series([1, 2])},
        [{"driver": 1}, {"driver": 2}],
        [1, 2],
        np.array([1, 2]),
        pd.DataFrame({"driver": [1, 2]}),
        pl.DataFrame({"driver": [1, 2]}),
        pa.table({"driver": [1, 2], "else": ["a", "b"]}),
        pa.RecordBatch.from_pydict({"driver": [1, 2]}),
        pa.table({"driver": pa.chunked_array([[1], [2]])}),
        np.array([(1, 0.5), (2, 0.5)], [("driver", "i8"), ("else", "f8")]),
    ],
    ids=lambda entities: type(entities).__name__,
)
def test_entities_may_be_anything_that_is_a_table(client, entities):
    client.write("drivers", ROWS)
    assert client.get("eta", entities)["speed"].tolist() == [10.5, 20.25]
    assert client.prepare("eta")(entities)["speed"].tolist() == [10.5, 20.25]


def test_one_entity_is_a_dict_of_values(client):
    client.write("drivers", ROWS)
    assert client.get("eta", {"driver": 2}).to_dicts() == [{"driver": 2, "speed": 20.25, "trips": None}]


@pytest.mark.parametrize("entities", [{"drivr": [1]}, {"driver": ["x"]}, {"driver": [1.5]}, {"driver": [2**63]}, 7])
def test_entities_that_are_none_are_refused_here(server, client, entities):
    client.describe("eta")
    with pytest.raises(whencedb.InputError):
        client.get("eta", entities)
    assert kinds.ONLINE_READ not in server.kinds_heard()


def test_a_prepared_read_is_numpy_in_and_out(client):
    client.write("drivers", ROWS)
    read = client.prepare("eta")
    for _ in range(3):
        columns = read.read(np.array([2, 1]))
        assert columns["speed"].tolist() == [20.25, 10.5]
        assert columns["trips"].tolist() == [0, 3]
    assert "driver: int64" in repr(read)


def test_many_reads_go_out_before_the_first_answer(server, client):
    client.write("drivers", ROWS)
    read = client.prepare("eta")
    answers = read.many([[1], [2], [1, 2]] * 100, in_flight=64)
    assert [answer["speed"].tolist() for answer in answers] == [[10.5], [20.25], [10.5, 20.25]] * 100


def test_answers_in_any_order_find_their_requests(server, client):
    client.write("drivers", ROWS)
    read = client.prepare("eta")
    read([1])
    waiting = []

    def answer(request_id, reader):
        waiting.append(server._online_read(request_id, reader))
        return [waiting.pop() for _ in range(len(waiting))] if len(waiting) == 4 else []

    server.answer[kinds.ONLINE_READ] = answer
    assert [a["speed"][0] for a in read.many([[1], [2], [2], [1]], in_flight=4)] == [10.5, 20.25, 20.25, 10.5]


def test_an_error_among_many_is_thrown_and_the_connection_is_kept(server, client):
    client.write("drivers", ROWS)
    read = client.prepare("eta")
    before = server.connections
    server.errors = [(1003, 0)]
    with pytest.raises(whencedb.InputError):
        read.many([[1], [2], [1]])
    assert len(read.many([[1], [2]])) == 2
    assert server.connections == before


def test_threads_share_a_client(server, client):
    client.write("drivers", {"driver": list(range(100)), "speed": [float(i) for i in range(100)]}, event_time=NOW)
    read = client.prepare("eta")
    wrong = []

    def work(number):
        for turn in range(40):
            driver = (number * 7 + turn) % 100
            if read([driver])["speed"][0] != driver or client.get("eta", [driver])["speed"][0] != driver:
                wrong.append(driver)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not wrong
    assert server.connections <= 4


# Joins


def spine(rows):
    return pa.table(
        {
            "label": [f"row {i}" for i in range(rows)],
            "driver": [i % 5 for i in range(rows)],
            "event_time": pa.array([1_714_521_600_000_000 + i for i in range(rows)], pa.timestamp("us", tz="Europe/Berlin")),
        }
    )


def test_a_join_puts_features_beside_the_spine(server, client):
    client.write("drivers", ROWS)
    given = spine(1000)
    result = client.as_of(given, "eta")
    assert result.columns == ["label", "driver", "event_time", "speed", "trips"]
    assert result.to_arrow().select(given.column_names).equals(given)
    assert result["speed"].to_pylist()[:3] == [None, 10.5, 20.25]
    assert result.known_at == 42 and len(result) == 1000
    assert result.to_pandas().shape == (1000, 5) and result.to_polars().shape == (1000, 5)
    assert pa.table(result).num_rows == 1000


def test_a_label_of_the_spine_is_never_sent(server, client):
    client.as_of(spine(3), "eta")
    assert not any(b"row 1" in payload for _, payload in server.heard)


@pytest.mark.parametrize("credit", [1, 1000, 8 << 20])
def test_an_upload_waits_for_credit(credit):
    with FakeServer(upload_credit=credit) as server, whencedb.connect(server.address, timeout=10) as client:
        given = pa.concat_tables([spine(70_000)] * 4)
        result = client.as_of(given, "eta")
        assert len(result) == 280_000
        assert server.kinds_heard().count(kinds.ROWS_TO_SERVER) > 1


def test_frames_are_no_longer_than_the_server_takes():
    with FakeServer(longest_payload=65_536) as server, whencedb.connect(server.address, timeout=10) as client:
        assert len(client.as_of(spine(50_000), "eta")) == 50_000
        assert max(len(payload) for _, payload in server.heard) <= 65_536


def test_a_question_that_is_too_long_goes_in_pieces_or_is_not_sent():
    with FakeServer(longest_payload=65_536) as server, whencedb.connect(server.address, timeout=5) as client:
        with pytest.raises(whencedb.InputError, match="takes 65536"):
            client.prepare("eta").many([[1], list(range(10_000))])
        assert kinds.ONLINE_READ not in server.kinds_heard()
        assert len(client.get("eta", list(range(10_000)))) == 10_000
        assert server.kinds_heard().count(kinds.ONLINE_READ) == 2
        assert client.ping() > 0 and server.connections == 1


def test_batches_come_as_they_are_and_leaving_cancels(server, client):
    client.write("drivers", ROWS)
    given = pa.concat_tables([spine(20_000)] * 6)
    for batch in client.as_of_batches(given, "eta"):
        assert batch.schema.names == ["label", "driver", "event_time", "speed", "trips"]
        assert batch.column("label")[1].as_py() == "row 1"
        break
    # The connection is free again, and the next answer is its own.
    assert client.get("eta", [1])["speed"][0] == 10.5
    assert kinds.CANCEL in server.kinds_heard()
    assert server.connections == 1


def test_a_spine_with_a_wrong_time_is_refused_before_anything_is_sent(server, client):
    client.describe("eta")
    naive = {"driver": [1], "event_time": [datetime.datetime(2024, 1, 1)]}
    with pytest.raises(whencedb.InputError) as raised:
        client.as_of(naive, "eta")
    assert raised.value.code == 1002 and "zone" in str(raised.value)
    assert kinds.JOIN not in server.kinds_heard()
    assert len(client.as_of(naive, "eta", zone="America/New_York")) == 1


# What goes wrong


def test_a_write_whose_answer_is_lost_is_repeated_with_its_key(server, client):
    client._described(["drivers.*"])
    server.lose_answers = 1
    committed = client.write("drivers", ROWS)
    assert committed.is_repeat and len(server.commits) == 1
    assert server.kinds_heard().count(kinds.WRITE) == 2


def test_the_same_key_is_one_write_and_another_is_two(server, client):
    first = client.write("drivers", ROWS, idempotency_key="load-7")
    again = client.write("drivers", ROWS, idempotency_key="load-7")
    assert (first.is_repeat, again.is_repeat) == (False, True)
    assert first.commit_time == again.commit_time
    client.write("drivers", ROWS)
    assert len(server.commits) == 2


def test_a_large_table_is_several_writes_each_with_its_key(server, client):
    table = {"driver": list(range(1000)), "speed": [1.0] * 1000}
    committed = client.write("drivers", table, event_time=NOW, batch_rows=256)
    assert committed.rows == 1000 and len(server.commits) == 4


def test_overloaded_is_repeated_after_the_advised_wait(server, client):
    client.write("drivers", ROWS)
    server.errors = [(4003, 150), (4003, 1)]
    begun = time.monotonic()
    assert client.get("eta", [1])["speed"][0] == 10.5
    assert time.monotonic() - begun >= 0.15


def test_repeats_end(server, client):
    server.errors = [(4003, 1)] * 10
    with pytest.raises(whencedb.Overloaded) as raised:
        client.ping()
    assert raised.value.retryable and len(server.errors) == 10 - FAST.attempts


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (1001, whencedb.InputError),
        (2001, whencedb.DefinitionError),
        (2002, whencedb.DefinitionError),
        (2003, whencedb.NotFound),
        (3003, whencedb.StoreError),
        (4001, whencedb.DeadlineExceeded),
        (4002, whencedb.Cancelled),
        (4005, whencedb.NotAllowed),
        (4009, whencedb.WhenceError),
        (4999, whencedb.WhenceError),
    ],
)
def test_an_error_has_its_class_and_is_not_repeated(server, client, code, kind):
    server.errors = [(code, 0)]
    with pytest.raises(kind) as raised:
        client.ping()
    assert type(raised.value) is kind and raised.value.code == code
    assert str(raised.value) == "here: told to (mend it)"
    assert server.kinds_heard() == [kinds.PING]
    assert client.ping() > 0 and server.connections == 1


ONE = {"driver": [1], "speed": [1.0]}
TWICE = pa.table([pa.array([1]), pa.array([2]), pa.array([1.0])], ["driver", "driver", "speed"])
SPINE = pa.table([pa.array([1]), pa.array([2]), pa.array([NOW])], ["driver", "driver", "event_time"])


def spine_at(times):
    return pa.table({"driver": [1] * len(times), "event_time": times})


WRONG = {
    "a time of numpy": lambda client: client.write("drivers", ONE, np.datetime64("2024-05-01")),
    "a time that is missing": lambda client: client.write("drivers", ONE, pd.NaT, zone="UTC"),
    "a time that is too far": lambda client: client.write("drivers", ONE, 2**70),
    "a time in an unknown zone": lambda client: client.write("drivers", ONE, datetime.datetime(2024, 5, 1), zone="Atlantis/City"),
    "times in an unknown zone": lambda client: client.as_of({"driver": [1], "event_time": ["2024-05-01"]}, "eta", zone="Atlantis/City"),
    "a pin of numpy": lambda client: client.as_of(spine(3), "eta", known_at=np.datetime64("2024-05-01")),
    "a pin that is missing": lambda client: client.as_of(spine(3), "eta", known_at=pd.NaT),
    "a pin that is too far": lambda client: client.as_of(spine(3), "eta", known_at=2**70),
    "a start that is none": lambda client: client.scan("drivers", start=object()),
    "no instants": lambda client: client.as_of_entities("drivers", None, "eta"),
    "an endless timeout": lambda client: client.ping(timeout=float("inf")),
    "a timeout that is no number": lambda client: client.get("eta", [1], timeout=float("nan")),
    "a timeout that is text": lambda client: client.get("eta", [1], timeout="1s"),
    "a timeout of millions of years": lambda client: client.write("drivers", ONE, NOW, timeout=1e14),
    "an endless timeout of a join": lambda client: client.as_of(spine(3), "eta", timeout=float("inf")),
    "an endless timeout of upkeep": lambda client: client.compact("drivers", timeout=float("inf")),
    "an endless timeout of a prepared read": lambda client: client.prepare("eta")([1], timeout=float("inf")),
    "an endless timeout of a pipeline": lambda client: client.prepare("eta").many([[1]], timeout=1e14),
    "an endless timeout of a client": lambda client: whencedb.connect(client._settings.address, timeout=float("inf")),
    "batches of fewer than no rows": lambda client: client.write("drivers", ONE, NOW, batch_rows=-1),
    "batches of a join": lambda client: client.as_of_batches(spine(3), "eta", batch_rows=-1),
    "batches of a scan": lambda client: client.scan_batches("drivers", batch_rows=2**32),
    "memory": lambda client: client.as_of(spine(3), "eta", memory_bytes=-1),
    "a version": lambda client: client.show("drivers", version=-1),
    "a base version": lambda client: client.apply("views: []\n", base_version=2**32),
    "a series of pandas": lambda client: client.write("drivers", pd.Series([1, 2], name="driver")),
    "a series of polars": lambda client: client.as_of(pl.Series("driver", [1, 2]), "eta"),
    "a list of dicts and others": lambda client: client.write("drivers", [{"driver": 1}, 7]),
    "a key twice": lambda client: client.write("drivers", TWICE, NOW),
    "a key of a spine twice": lambda client: client.as_of(SPINE, "eta"),
    "a key of entities twice": lambda client: client.get("eta", TWICE),
    "a key of an entity twice": lambda client: client.erase("driver", TWICE),
    "a time of availability for all": lambda client: client.write("drivers", ONE, NOW, NOW),
    "a time for all of a spine": lambda client: client.as_of({"driver": [1]}, "eta", NOW),
    "features that are one name": lambda client: client.scan("drivers", "speed")._title(),
    "features that are a number": lambda client: client.scan("drivers", 7),
    "views that are a number": lambda client: client.retain(7),
    "definitions that are a number": lambda client: client.plan(7),
    "definitions at no path": lambda client: client.plan([None]),
    "a column whose name is a number": lambda client: client.get("eta", {7: [1]}),
    "a date that is too far": lambda client: client.as_of(spine_at(pa.array([2**31 - 1], pa.int32()).cast(pa.date32())), "eta", zone="UTC"),
    "a time that is too far for its zone": lambda client: client.as_of(
        spine_at(pa.array([-(2**63)], pa.timestamp("us"))), "eta", zone="CET"
    ),
    "an address that is a number": lambda client: whencedb.connect(7),
    "a host that has no name": lambda client: whencedb.connect("..:1"),
    "a pool of text": lambda client: whencedb.connect(client._settings.address, pool_size="8"),
    "a timeout that is no end": lambda client: client.get("eta", [1], timeout=float("-inf")),
    "a service that is a number": lambda client: client.get(7, [1]),
    "features that are numbers": lambda client: client.get([7], [1]),
    "a name that is a number": lambda client: client.show(7),
    "an idempotency key that is a number": lambda client: client.write("drivers", ONE, NOW, idempotency_key=7),
    "a feature that is none": lambda client: client.get("eta", [1])["zzz"],
    "the validity of a feature that is none": lambda client: client.get("eta", [1]).valid("zzz"),
    "a column that is none": lambda client: client.as_of(spine(3), "eta")["zzz"],
}


@pytest.mark.parametrize("ask", WRONG.values(), ids=WRONG)
def test_whatever_is_wrong_is_an_input_error(server, client, ask):
    client.write("drivers", ROWS)
    commits = len(server.commits)
    with pytest.raises(whencedb.InputError) as raised:
        ask(client)
    assert raised.value.message and not raised.value.retryable and 1000 < raised.value.code < 2000
    assert len(server.commits) == commits
    assert client.ping(timeout=LONGEST_TIMEOUT_SECONDS) > 0


@pytest.mark.parametrize(
    ("service", "name"), [("eta", "eta"), (["drivers.speed", "drivers.trips"], "drivers.speed, drivers.trips")], ids=str
)
def test_a_place_says_what_was_asked_for(client, service, name):
    asks = {
        f"spine of '{name}'": [lambda: client.as_of(7, service), lambda: client.as_of({"driver": [1]}, service)],
        f"entities of '{name}'": [lambda: client.get(service, [{"drivr": 1}]), lambda: client.get(service, {"drivr": [1]})],
    }
    for place, wrong in asks.items():
        for ask in wrong:
            with pytest.raises(whencedb.InputError) as raised:
                ask()
            assert raised.value.place == place


def test_a_zone_that_is_unknown_is_not_taken_for_a_night_on_which_clocks_are_set(client):
    for ask in (WRONG["a time in an unknown zone"], WRONG["times in an unknown zone"]):
        with pytest.raises(whencedb.InputError, match="there is no zone 'Atlantis/City'") as raised:
            ask(client)
        assert "clock" not in str(raised.value)


def test_errors_are_those_of_python_too():
    assert issubclass(whencedb.DeadlineExceeded, TimeoutError)
    assert issubclass(whencedb.ConnectionLost, ConnectionError)
    assert issubclass(whencedb.InputError, ValueError)
    assert issubclass(whencedb.NoColumn, whencedb.InputError) and issubclass(whencedb.NoColumn, KeyError)
    assert str(whencedb.NoColumn("none", hint="look")) == "none (look)"
    assert issubclass(whencedb.NotFound, LookupError)
    assert str(whencedb.ConnectionLost("gone", place="x:1", hint="look")) == "x:1: gone (look)"


def test_a_silent_server_is_not_waited_for(server, client):
    client.ping()
    server.silent = True
    begun = time.monotonic()
    with pytest.raises(whencedb.DeadlineExceeded):
        client.ping(timeout=0.05)
    assert time.monotonic() - begun < 4


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.write("drivers", ROWS, timeout=0.2),
        lambda client: client.get("eta", [1], timeout=0.2),
        lambda client: client.get("eta", list(range(20_000)), timeout=0.2),
        lambda client: client.ping(timeout=0.2),
        lambda client: client.prepare("eta")([1]),
        lambda client: client.as_of(spine(3), "eta", timeout=0.2),
        lambda client: client.describe(["drivers.speed"], timeout=0.2),
        lambda client: client.compact("drivers", timeout=0.2),
    ],
    ids=["write", "get", "get of many", "ping", "prepare", "as_of", "describe", "compact"],
)
@pytest.mark.parametrize("known", [True, False])
def test_a_call_in_a_loop_that_holds_the_only_connection_keeps_its_timeout(server, ask, known):
    with whencedb.connect(server.address, retries=FAST, timeout=0.4, pool_size=1) as client:
        if known:
            client.write("drivers", ROWS), client.get("eta", [1])
        batches = client.as_of_batches(pa.concat_tables([spine(20_000)] * 6), "eta")
        next(batches)
        begun = time.monotonic()
        with pytest.raises(whencedb.DeadlineExceeded, match="no connection was free"):
            ask(client)
        assert time.monotonic() - begun < 1.5
        batches.close()
        assert client.ping() > 0


def test_what_is_known_of_the_server_needs_no_connection():
    with FakeServer(["BEARER"]) as server, whencedb.connect(server.address, token="secret", pool_size=1) as client:
        batches = client.as_of_batches(pa.concat_tables([spine(20_000)] * 6), "eta")
        next(batches)
        assert client.server == "fake 1" and client.user == ("ann", ["reader"])
        batches.close()


def test_a_pipeline_waits_no_longer_than_its_timeout(server):
    with whencedb.connect(server.address, pool_size=1) as client:
        read = client.prepare("eta")
        batches = client.as_of_batches(pa.concat_tables([spine(20_000)] * 6), "eta")
        next(batches)
        with pytest.raises(whencedb.DeadlineExceeded):
            read.many([[1], [2]], timeout=0.1)
        batches.close()


def test_a_thread_that_would_wait_for_itself_is_told(server):
    """Without a timeout nothing would ever end it."""
    with whencedb.connect(server.address, pool_size=2) as client:
        loops = [client.as_of_batches(pa.concat_tables([spine(20_000)] * 6), "eta") for _ in range(2)]
        for loop in loops:
            next(loop)
        for ask in (lambda: client.as_of(spine(3), "eta"), lambda: client.compact("drivers")):
            with pytest.raises(whencedb.InputError, match="its own loops") as raised:
                ask()
            assert "pool_size" in raised.value.hint
        # Another thread may wait: the loops may end.
        done = []
        other = threading.Thread(target=lambda: done.append(len(client.as_of(spine(3), "eta"))))
        other.start()
        loops[0].close()
        other.join(10)
        assert done == [3]
        loops[1].close()


def in_a_fork(work):
    """The exit status of a child that does this; 0 where it is true."""
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        try:
            os._exit(0 if work() else 1)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_the_child_of_a_fork_opens_its_own_and_leaves_the_parents_alone(server):
    with whencedb.connect(server.address, timeout=3, pool_size=1, retries=FAST) as client:
        client.write("drivers", ROWS)
        given = pa.concat_tables([spine(20_000)] * 6)
        batches = client.as_of_batches(given, "eta")
        rows = next(batches).num_rows

        def child():
            # Ends the parent's loop here: nothing of that may reach the server.
            batches.close()
            return client.ping() > 0 and client.get("eta", [1])["speed"][0] == 10.5

        assert in_a_fork(child) == 0
        assert rows + sum(batch.num_rows for batch in batches) == given.num_rows
        assert kinds.CANCEL not in server.kinds_heard() and server.connections == 2
        assert in_a_fork(lambda: client.ping() > 0) == 0


def test_a_frame_that_was_damaged_ends_the_connection(server, client):
    good = frame(kinds.PONG, 1, bytes(8))
    server.answer[kinds.PING] = lambda request_id, _: [good[:-1] + b"\1"]
    with pytest.raises(whencedb.ProtocolError):
        client.ping()
    del server.answer[kinds.PING]
    assert client.ping() > 0 and server.connections == 2


def test_an_answer_to_somebody_else_ends_the_connection(server, client):
    server.answer[kinds.PING] = lambda request_id, _: [frame(kinds.PONG, request_id + 5, bytes(8))]
    with pytest.raises(whencedb.ProtocolError):
        client.ping()


def test_draining_moves_to_another_connection(server, client):
    client.ping()

    def answer(request_id, _):
        return [frame(kinds.DRAINING, 0, (1000).to_bytes(4, "little")), frame(kinds.PONG, request_id, bytes(8))]

    server.answer[kinds.PING] = answer
    client.ping()
    del server.answer[kinds.PING]
    client.ping()
    assert server.connections == 2


def test_a_server_that_came_back_is_found(server):
    with whencedb.connect(server.address, retries=FAST) as client:
        client.ping()
        for each in server._sockets:
            each.close()
        assert client.ping() > 0


@pytest.mark.parametrize("conversation", ["ping", "get", "write", "as_of"])
def test_a_conversation_cut_at_every_byte(conversation):
    """The client says that the connection was lost, at once, wherever it is."""
    talk = {
        "ping": lambda client: client.ping(),
        "get": lambda client: client.get("eta", [1, 2]),
        "write": lambda client: client.write("drivers", ROWS),
        "as_of": lambda client: client.as_of(spine(3), "eta"),
    }[conversation]
    with FakeServer() as server:
        with whencedb.connect(server.address, retries=1, timeout=5) as client:
            talk(client)
        length = server.sent
    with FakeServer() as server:
        for cut in range(length):
            server.cut_after, server.sent = cut, 0
            server.commits.clear()
            with pytest.raises(whencedb.ConnectionLost):
                with whencedb.connect(server.address, retries=1, timeout=5) as client:
                    talk(client)
        server.cut_after, server.sent = length, 0
        with whencedb.connect(server.address, retries=1, timeout=5) as client:
            talk(client)


def test_nobody_is_there():
    with pytest.raises(whencedb.ConnectionLost) as raised:
        whencedb.connect("127.0.0.1:1", retries=1)
    assert "127.0.0.1:1" in str(raised.value)


def test_a_closed_client_says_so(client):
    client.close()
    with pytest.raises(whencedb.ConnectionLost):
        client.ping()


# Who asks


def test_a_token():
    with FakeServer(["BEARER", "SCRAM-SHA-256"]) as server:
        with whencedb.connect(server.address, token="secret") as client:
            assert client.user == ("ann", ["reader"])
        with pytest.raises(whencedb.NotAuthenticated) as raised:
            whencedb.connect(server.address, token="guess")
        assert "guess" not in str(raised.value)


def test_a_password():
    with FakeServer(["SCRAM-SHA-256"]) as server:
        with whencedb.connect(server.address, user="ann", password="pencil") as client:
            assert client.ping() > 0
        with pytest.raises(whencedb.NotAuthenticated):
            whencedb.connect(server.address, user="ann", password="pen")
        server.wrong_signature = True
        with pytest.raises(whencedb.NotAuthenticated, match="did not prove"):
            whencedb.connect(server.address, user="ann", password="pencil")


def test_nothing_given_where_something_is_asked():
    with FakeServer(["SCRAM-SHA-256", "BEARER"]) as server, pytest.raises(whencedb.NotAuthenticated, match="user= and password="):
        whencedb.connect(server.address)


def test_secrets_are_not_shown():
    with FakeServer(["BEARER"]) as server, whencedb.connect(server.address, token="secret") as client:
        assert "secret" not in repr(client) + repr(client._settings)


@pytest.mark.parametrize(
    "options",
    [
        {"token": "a", "user": "b", "password": "c"},
        {"user": "b"},
        {"key": "k"},
        {"tls": False, "ca": "x"},
        {"timeout": 0},
        {"pool_size": 0},
    ],
    ids=str,
)
def test_options_that_contradict_each_other(options):
    with pytest.raises(whencedb.InputError):
        whencedb.connect("127.0.0.1:1", **options)


@pytest.mark.parametrize("address", ["", "host:port", "host:0", "host:70000", "[::1]:x"])
def test_addresses_that_are_none(address):
    with pytest.raises(whencedb.InputError):
        whencedb.connect(address)


def test_progress_of_long_work(client):
    assert client.compact("drivers", progress=True) == {}
