"""The examples of `docs/clients/python.md` run, in their order, against a real server."""

import pathlib
import re

import pytest
from conftest import need_whence

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/clients/python.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_examples_of_the_page(start, tmp_path, monkeypatch, capsys):
    need_whence()
    text = PAGE.read_text()
    blocks = [(text[: match.start()].count("\n") + 2, match[1]) for match in BLOCK.finditer(text)]
    assert len(blocks) > 10
    server = start()
    monkeypatch.chdir(tmp_path)
    names = {}
    for line, block in blocks:
        code = "\n" * (line - 1) + block.replace("localhost:9462", server.address)
        try:
            exec(compile(code, str(PAGE), "exec"), names)
        except Exception as error:
            pytest.fail(f"{PAGE}:{line}: {type(error).__name__}: {error}")
    # What the page says that it prints, it prints.
    printed = capsys.readouterr().out
    promised = re.findall(r"^.*print\(.*#: (.+)$", text, re.MULTILINE)
    assert promised
    for promise in promised:
        assert promise in printed, f"the page promises {promise!r}"
    names["client"].close()
