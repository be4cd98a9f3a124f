"""Small things: SCRAM's vector, definitions from files, what a notebook shows, bars."""

import inspect
import sys

import pyarrow as pa
import pytest
import whencedb
from whencedb import aio, calls, progress
from whencedb.aio_prepared import AsyncPreparedRead
from whencedb.results import Result
from whencedb.settings import Retries, parse_address
from whencedb.wire.scram import ScramClient


def test_the_conversation_of_rfc_7677():
    client = ScramClient("user", "pencil", nonce="rOprNGfwEbeRWgbNEkqO")
    assert client.first() == b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    final = client.final(b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
    assert final == (b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    client.verify(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
    with pytest.raises(whencedb.NotAuthenticated):
        client.verify(b"v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")


@pytest.mark.parametrize(
    "challenge",
    [
        b"",
        b"r=other,s=W22Z,i=4096",
        b"r=abc,s=W22Z,i=4096",
        b"r=abcdef,s=!,i=4096",
        b"r=abcdef,s=W22Z,i=1",
        b"r=abcdef,s=W22Z,i=99999999",
        b"\xff",
    ],
)
def test_challenges_that_are_none(challenge):
    with pytest.raises(whencedb.NotAuthenticated):
        ScramClient("user", "pencil", nonce="abc").final(challenge)


def test_a_name_with_commas():
    assert ScramClient("a,b=c", "x", nonce="n").first() == b"n,,n=a=2Cb=3Dc,r=n"


def test_definitions_are_text_or_files_or_folders(tmp_path):
    text = "entities:\n  - name: driver\n"
    (tmp_path / "a.yaml").write_text(text)
    (tmp_path / "b.yml").write_text("")
    (tmp_path / "c.txt").write_text("no")
    assert calls.files_of(text) == [("<text 1>", text)]
    assert [name for name, _ in calls.files_of(tmp_path)] == [str(tmp_path / "a.yaml"), str(tmp_path / "b.yml")]
    assert calls.files_of([tmp_path / "a.yaml", text])[1] == ("<text 2>", text)
    with pytest.raises(whencedb.InputError, match="cannot be read"):
        calls.files_of("missing.yaml")


def test_addresses():
    assert parse_address("host") == ("host", 9462)
    assert parse_address("host:1") == ("host", 1)
    assert parse_address("::1") == ("::1", 9462)
    assert parse_address("[::1]:5") == ("::1", 5)


def test_pauses_grow_and_keep_to_advice():
    retries = Retries(first_seconds=1, longest_seconds=4)
    error = whencedb.Overloaded("later", retry_after=3)
    assert retries.pause(error, 2) == 3
    assert 2 <= retries.pause(whencedb.Overloaded("later"), 10) <= 4


def test_a_notebook_shows_a_result_and_escapes_it():
    result = Result(pa.table({"name": ["<b>", None] * 8, "x": [0.1] * 16}), 7, "as_of eta")
    shown = result._repr_html_()
    assert "&lt;b&gt;" in shown and "<b>" not in shown and "16 rows" in shown and "…" in shown
    assert "known_at=7" in repr(result) and "0.1" in repr(result)
    assert repr(Result(pa.table({}), None, "scan")) == "<scan: 0 rows, 0 columns>"


def test_bars_are_for_those_who_watch(monkeypatch):
    monkeypatch.setattr(progress, "is_watched", lambda: False)
    assert progress.Bar("x", 1)._bar is None
    monkeypatch.setattr(progress, "is_watched", lambda: True)
    with progress.Bar("x", 10) as bar:
        assert bar._bar is not None
        bar.advance(3)
        bar.show((5, 10, "files"))
    assert progress.Bar("x", 1, wanted=False)._bar is None
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    assert progress.Bar("x", 1)._bar is None


def public(kind):
    return {name: getattr(kind, name) for name in dir(kind) if not name.startswith("_") or name == "__call__"}


@pytest.mark.parametrize(
    ("kind", "other"), [(whencedb.Client, aio.AsyncClient), (whencedb.PreparedRead, AsyncPreparedRead)], ids=["client", "prepared"]
)
def test_both_clients_have_the_same_methods_with_the_same_arguments(kind, other):
    ours, theirs = public(kind), public(other)
    assert ours.keys() == theirs.keys()
    for name, method in ours.items():
        assert isinstance(method, property) == isinstance(theirs[name], property), name
        if not isinstance(method, property):
            parameters = [list(inspect.signature(each).parameters.values()) for each in (method, theirs[name])]
            assert parameters[0] == parameters[1], name
    arguments = [inspect.signature(each).parameters.keys() for each in (whencedb.connect, aio.connect)]
    assert arguments[0] == arguments[1]


def test_everything_that_is_exported_is_there_and_documented():
    for name in whencedb.__all__:
        assert hasattr(whencedb, name)
        assert name.startswith("__") or getattr(whencedb, name).__doc__
    public = [getattr(whencedb.Client, name) for name in vars(whencedb.Client) if not name.startswith("_")]
    assert all(method.__doc__ for method in public)
