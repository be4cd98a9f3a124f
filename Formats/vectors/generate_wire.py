#!/usr/bin/env python3
"""Writes wire-protocol.json, the golden vectors of wire-protocol.md, beside itself.

It is an implementation of the page of its own, written from its text alone, so that page and code check each other. Run it after a
change of the page and look at the difference: vectors of a version that has been released never change. With --check it writes nothing
and fails where the file is not what it would write.

How fields are written: 64-bit numbers and times as decimal text, other numbers as numbers, bytes as hexadecimal, floats as the
hexadecimal digits of their bits, an option that is not there as null; a schema as a list of [name, type]; columns as
{"rows": N, "columns": [the values of the first, ...]}.

The parts lie in `wire/`: primitives, columns and messages are the page; vectors and refusals say what is made of them.
"""

import json
import pathlib
import sys

from wire.primitives import crc32c
from wire.refusals import refused
from wire.vectors import messages


def checksums():
    """The first four are those of RFC 3720, B.4."""
    inputs = [bytes(32), b"\xff" * 32, bytes(range(32)), bytes(range(31, -1, -1)), b"", b"123456789", b"\x00"]
    return [{"hex": raw.hex(), "crc32c": crc32c(raw)} for raw in inputs]


def main():
    document = {"version": 1, "checksums": checksums(), "messages": messages(), "refused": refused()}
    assert document["checksums"][0]["crc32c"] == 0x8A9136AA and document["checksums"][5]["crc32c"] == 0xE3069283
    path = pathlib.Path(__file__).with_name("wire-protocol.json")
    lines = [json.dumps(key) + ": " + (
        json.dumps(value) if not isinstance(value, list) else
        "[\n" + ",\n".join("  " + json.dumps(entry, ensure_ascii=False) for entry in value) + "\n]"
    ) for key, value in document.items()]
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    assert json.loads(text) == document
    if "--check" in sys.argv[1:]:
        sys.exit(0 if path.exists() and path.read_text() == text else f"{path} is not what {__file__} writes")
    path.write_text(text)


if __name__ == "__main__":
    main()
