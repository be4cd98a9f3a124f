#!/usr/bin/env python3
"""Writes keys.json and rows.json, the golden vectors of keys.md and rows.md, beside itself.

It is a second implementation of the two pages, written from their text alone, so that page and code check each other.
Run it after a change of a page and look at the difference: vectors of a version that has been released never change.
With --check it writes nothing and fails where the files are not what it would write.
"""

import json
import pathlib
import struct
import sys

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
EARLIEST, LATEST = -62_135_596_800_000_000, 253_402_300_799_999_999


# --- keys.md -------------------------------------------------------------------------------------------------------


def key_element(value):
    if isinstance(value, bool):
        return b"\x27" if value else b"\x26"
    if isinstance(value, int):
        length = (abs(value).bit_length() + 7) // 8
        if value >= 0:
            return bytes([0x14 + length]) + value.to_bytes(length, "big")
        return bytes([0x14 - length]) + (value + 256**length - 1).to_bytes(length, "big")
    code, raw = (b"\x02", value.encode()) if isinstance(value, str) else (b"\x01", value)
    return code + raw.replace(b"\x00", b"\x00\xff") + b"\x00"


def entity_key(values):
    return b"".join(key_element(value) for value in values)


def time_code(microseconds):
    """Biased so that negative times sort first, then inverted so that the newest does."""
    return struct.pack(">Q", (2**64 - 1) - (microseconds + 2**63))


def version_key(values, event, commit):
    return entity_key(values) + time_code(event) + time_code(commit)


def key_value_json(value):
    if isinstance(value, bool):
        return {"bool": value}
    if isinstance(value, int):
        return {"int64": str(value)}
    if isinstance(value, str):
        return {"string": value}
    return {"bytes": value.hex()}


def keys_vectors():
    integers = sorted(
        {0, INT64_MIN, INT64_MIN + 1, INT64_MAX, INT64_MAX - 1}
        | {sign * (2**bits + delta) for bits in range(0, 63, 7) for sign in (1, -1) for delta in (0, 1)}
        | {sign * (256**count + delta) for count in range(1, 8) for sign in (1, -1) for delta in (-1, 0, 1)}
    )
    # By code point, which is the order of UTF-8; a UTF-16 order would put the last two the other way round.
    texts = sorted(
        ["", "\0", "\0\0", "\0\x01", "\x01", "a", "a\0", "a\0\0", "a\0b", "a\x01", "aa", "b", "\x7f", "e\u0301", "\u00e9", "\uffff", "\U00010000"],
        key=lambda text: [ord(character) for character in text],
    )
    raws = sorted([b"", b"\x00", b"\x00\x00", b"\x00\xff", b"\x00\x01", b"\x01", b"\xfe", b"\xff", b"\xff\x00", b"\xff\xff"])
    pairs = sorted((text, number) for text in ["", "\0", "a", "a\0", "a\0\0", "b"] for number in [INT64_MIN, -256, -1, 0, 1, 255, INT64_MAX])
    triples = sorted((flag, raw, number) for flag in [False, True] for raw in [b"", b"\x00", b"\xff"] for number in [-300, 0, 300])

    entities = [(f"int64 {value}", (value,)) for value in integers]
    entities += [(f"string {json.dumps(value)}", (value,)) for value in texts]
    entities += [(f"bytes {value.hex() or 'empty'}", (value,)) for value in raws]
    entities += [("bool false", (False,)), ("bool true", (True,))]
    entities += [
        ("two elements", ("EWR", 17)),
        ("every type", (-1, "a\0b", b"\x00\xff", True)),
        ("eight elements", (0, "", b"", False, INT64_MIN, "\U0001d11e", b"\xff\x00", True)),
        ("as long as a key may be", ("k" * 1022,)),
    ]

    times = sorted({INT64_MIN, EARLIEST, -(10**15), -256, -1, 0, 1, 255, 10**15, 1_357_016_400_000_000, LATEST, INT64_MAX})
    versions = [(("EWR", 17), 1_357_016_400_000_000, 1_357_016_460_000_001)]
    versions += [((0,), event, 0) for event in times] + [((0,), 0, commit) for commit in times]

    # Entities in order; within one the newest event first, and within that the newest commit.
    in_order = sorted(
        ((entity, event, commit) for entity in [("",), ("\0",), ("a",), ("a\0",), ("a\0a",)] for event in times[1:-1] for commit in (-1, 0, 5)),
        key=lambda version: (version[0], -version[1], -version[2]),
    )
    ordered_keys = [version_key(*version) for version in in_order]
    assert ordered_keys == sorted(ordered_keys)

    sorted_lists = []
    for name, values in [
        ("integers", [(value,) for value in integers]),
        ("strings", [(value,) for value in texts]),
        ("bytes", [(value,) for value in raws]),
        ("booleans", [(False,), (True,)]),
        ("string and integer", pairs),
        ("boolean, bytes and integer", triples),
    ]:
        assert [entity_key(value) for value in values] == sorted(entity_key(value) for value in values), name
        sorted_lists.append({"name": name, "keys": [[key_value_json(element) for element in value] for value in values]})

    refused = [
        ("no element", ""),
        ("nine elements", "26" * 9),
        ("an unknown type", "03"),
        ("an integer cut short", "1601"),
        ("an integer with a needless byte", "160005"),
        ("a negative integer with a needless byte", "12ff00"),
        ("a negative zero", "13ff"),
        ("an integer above the largest", "1c8000000000000000"),
        ("an integer below the smallest", "0c7ffffffffffffffe"),
        ("an integer of nine bytes", "1d010000000000000000"),
        ("a string without an end", "0261"),
        ("a string that ends in an escaped zero", "026100ff"),
        ("a string that is not UTF-8", "02c300"),
    ]
    return {
        "format": "keys",
        "version": 1,
        "entities": [
            {"name": name, "values": [key_value_json(value) for value in values], "hex": entity_key(values).hex()} for name, values in entities
        ],
        "versions": [
            {
                "values": [key_value_json(value) for value in values],
                "event_time": str(event),
                "commit_time": str(commit),
                "hex": version_key(values, event, commit).hex(),
            }
            for values, event, commit in versions
        ],
        "sorted": sorted_lists,
        "sorted_versions": [
            {"values": [key_value_json(value) for value in values], "event_time": str(event), "commit_time": str(commit)}
            for values, event, commit in in_order
        ],
        "refused": [{"name": name, "hex": text} for name, text in refused],
    }


# --- rows.md -------------------------------------------------------------------------------------------------------

WIDTHS = {"bool": 1, "int32": 4, "int64": 8, "float32": 4, "float64": 8, "timestamp": 8}
ABSENT = object()


class Bits(str):
    """A float as the hexadecimal digits of its bits, the most significant first, so that NaNs keep theirs."""


def float_bits(value, kind):
    return Bits(struct.pack(">f" if kind == "float32" else ">d", value).hex())


def parts(kind):
    """('vector', 3), ('list', 'int64') or ('scalar', 'int64')."""
    if kind.startswith("vector<"):
        return "vector", int(kind[7:-1])
    if kind.startswith("list<"):
        return "list", kind[5:-1]
    return "scalar", kind


def width_of(kind):
    shape, detail = parts(kind)
    return detail * 4 if shape == "vector" else WIDTHS.get(detail) if shape == "scalar" else None


def field_bytes(kind, value):
    shape, detail = parts(kind)
    if shape == "vector":
        assert len(value) == detail
        return b"".join(field_bytes("float32", element) for element in value)
    if shape == "list":
        elements = [field_bytes(detail, element) for element in value]
        if detail in WIDTHS:
            return b"".join(elements)
        ends, end = b"", 0
        for element in elements:
            end += len(element)
            ends += struct.pack("<I", end)
        return struct.pack("<I", len(elements)) + ends + b"".join(elements)
    if kind == "bool":
        return b"\x01" if value else b"\x00"
    if kind == "int32":
        return struct.pack("<i", value)
    if kind in ("int64", "timestamp"):
        return struct.pack("<q", value)
    if kind in ("float32", "float64"):
        return bytes.fromhex(value)[::-1]
    return value.encode() if kind == "string" else value


def schema_id_bytes(number):
    out = b""
    while number >= 0x80:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def bitmap(flags):
    out = bytearray((len(flags) + 7) // 8)
    for index, flag in enumerate(flags):
        if flag:
            out[index // 8] |= 1 << index % 8
    return bytes(out)


def row_bytes(schema, values, availability=None, over_deletion=False, over_retraction=False):
    fields = schema["fields"]
    given = [values.get(field["name"], ABSENT) for field in fields]
    is_sparse = any(value is ABSENT for value in given)
    has_nulls = any(value is None for value in given)
    flags = (availability is not None) << 2 | is_sparse << 3 | has_nulls << 4 | over_deletion << 5 | over_retraction << 6
    out = bytes([flags])
    if availability is not None:
        out += struct.pack("<q", availability)
    out += schema_id_bytes(schema["id"])
    if is_sparse:
        out += bitmap([value is not ABSENT for value in given])
    if has_nulls:
        out += bitmap([value is None for value in given])
    present = [(field["type"], value) for field, value in zip(fields, given) if value is not ABSENT]
    for kind, value in present:
        if width_of(kind) is not None:
            out += bytes(width_of(kind)) if value is None else field_bytes(kind, value)
    variable = [b"" if value is None else field_bytes(kind, value) for kind, value in present if width_of(kind) is None]
    end = 0
    for part in variable:
        end += len(part)
        out += struct.pack("<I", end)
    return out + b"".join(variable)


def value_json(kind, value):
    if value is None:
        return None
    shape, detail = parts(kind)
    if shape == "vector":
        return [value_json("float32", element) for element in value]
    if shape == "list":
        return [value_json(detail, element) for element in value]
    if kind in ("int64", "timestamp"):
        return str(value)
    return value.hex() if kind == "bytes" else value


def schema(number, *kinds):
    return {"id": number, "fields": [{"id": index, "name": f"f{index}", "type": kind} for index, kind in enumerate(kinds)]}


def rows_vectors():
    scalars = ["bool", "int32", "int64", "float32", "float64", "string", "bytes", "timestamp"]
    nan32, nan64 = Bits("7fc00001"), Bits("fff8000000000abc")
    schemas = {
        "scalars": schema(1, *scalars),
        "vectors": schema(127, "vector<1>", "vector<4>"),
        "lists": schema(128, *[f"list<{kind}>" for kind in scalars]),
        "example": {
            "id": 3,
            "fields": [
                {"id": 1, "name": "delay", "type": "float64"},
                {"id": 2, "name": "carrier", "type": "string"},
                {"id": 5, "name": "seats", "type": "int32"},
                {"id": 6, "name": "stops", "type": "list<string>"},
            ],
        },
        "nine": schema(300, *["int32"] * 9),
        "doubles": schema(16_384, *["float64"] * 8),
        "text": schema(2**32 - 1, "string", "bytes"),
        "empty": schema(2),
    }
    low = [False, -(2**31), INT64_MIN, float_bits(-0.0, "float32"), float_bits(-0.0, "float64"), "", b"", INT64_MIN]
    high = [True, 2**31 - 1, INT64_MAX, nan32, nan64, "h\u00e9\0\U0001d11e", b"\x00\xff", LATEST]
    named = lambda values: {f"f{index}": value for index, value in enumerate(values) if value is not ABSENT}
    one = float_bits(1.0, "float32")
    listed = [
        [True, False, True],
        [1, -1],
        [INT64_MAX, INT64_MIN],
        [one, nan32],
        [float_bits(float("inf"), "float64")],
        ["", "ab", "\u00e9"],
        [b"\x00", b""],
        [EARLIEST, 0],
    ]
    doubles = [float_bits(index + 0.5, "float64") for index in range(8)]
    example = {"delay": float_bits(-3.5, "float64"), "carrier": "UA", "seats": None, "stops": ["ORD", ""]}

    cases = [
        ("the worked example", "example", example, {"availability": 1_357_016_400_000_000}),
        ("the worked example, dense", "example", {**example, "seats": 149}, {}),
        ("the worked example, sparse", "example", {"carrier": "UA"}, {}),
        ("lowest values", "scalars", named(low), {}),
        ("highest values", "scalars", named(high), {}),
        ("every field null", "scalars", named([None] * 8), {}),
        ("no field carried", "scalars", {}, {}),
        ("alternate fields", "scalars", named([value if index % 2 else ABSENT for index, value in enumerate(high)]), {}),
        ("values, nulls and absent ones", "scalars", named([[value, None, ABSENT][index % 3] for index, value in enumerate(high)]), {}),
        ("a null among variable ones", "text", {"f0": None, "f1": b"x"}, {}),
        ("empty variable ones", "text", {"f0": "", "f1": b""}, {}),
        ("the largest schema id", "text", {"f0": "a"}, {}),
        ("vectors", "vectors", {"f0": [one], "f1": [one, nan32, float_bits(-0.0, "float32"), one]}, {}),
        ("a null vector", "vectors", {"f0": [one], "f1": None}, {}),
        ("lists", "lists", named(listed), {}),
        ("empty lists", "lists", named([[]] * 8), {}),
        ("null and absent lists", "lists", named([[None, ABSENT, value][index % 3] for index, value in enumerate(listed)]), {}),
        ("bitmaps of two bytes", "nine", {"f0": 1, "f7": None, "f8": -1}, {}),
        ("the ninth field only", "nine", {"f8": 9}, {}),
        ("eight doubles", "doubles", named(doubles), {}),
        ("a schema without fields", "empty", {}, {}),
    ]
    for name, availability in [("zero", 0), ("before 1970", -1), ("earliest", EARLIEST), ("latest", LATEST), ("least", INT64_MIN), ("greatest", INT64_MAX)]:
        cases.append((f"availability {name}", "doubles", named(doubles), {"availability": availability}))
    cases += [
        ("over a deletion", "doubles", {"f1": doubles[1]}, {"over_deletion": True}),
        ("over a retraction", "doubles", {"f1": doubles[1]}, {"over_retraction": True}),
        ("over both, with everything else", "scalars", {"f1": None, "f5": "x"}, {"over_deletion": True, "over_retraction": True, "availability": 7}),
    ]

    tombstones = [
        {"kind": kind, "availability": None if at is None else str(at), "hex": (bytes([code | (at is not None) << 2]) + (b"" if at is None else struct.pack("<q", at))).hex()}
        for kind, code in (("deletion", 1), ("retraction", 2))
        for at in (None, 0, -1, INT64_MIN, LATEST)
    ]
    good = row_bytes(schemas["text"], {"f0": "ab", "f1": b"c"}).hex()
    refused = [
        ("empty", "text", "", "corruption"),
        ("the reserved bit", "text", "80" + good[2:], "unknownFormat"),
        ("kind 3", "text", "03" + good[2:], "corruption"),
        ("a byte too many", "text", good + "00", "corruption"),
        ("another schema", "doubles", good, "corruption"),
        ("a schema id beyond 32 bits", "text", "00ffffffff1f" + good[12:], "corruption"),
        ("a schema id with a needless byte", "empty", "008200", "corruption"),
        ("a deletion read as a row", "empty", "01", "corruption"),
        ("a deletion with a body", "empty", "0102", "corruption"),
        ("a deletion with a presence bitmap", "empty", "09", "corruption"),
        ("ends that go back", "text", "00ffffffff0f" + "02000000" + "01000000" + "6162", "corruption"),
        ("an end past the row", "text", "00ffffffff0f" + "02000000" + "ff000000" + "616263", "corruption"),
    ]
    return {
        "format": "rows",
        "version": 1,
        "schemas": schemas,
        "rows": [
            {
                "name": name,
                "schema": key,
                "availability": None if options.get("availability") is None else str(options["availability"]),
                "over_deletion": options.get("over_deletion", False),
                "over_retraction": options.get("over_retraction", False),
                "values": {
                    field["name"]: value_json(field["type"], values[field["name"]]) for field in schemas[key]["fields"] if field["name"] in values
                },
                "hex": row_bytes(schemas[key], values, **options).hex(),
            }
            for name, key, values, options in cases
        ],
        "tombstones": tombstones,
        "refused": [{"name": name, "schema": key, "hex": text, "code": code} for name, key, text, code in refused],
    }


def main():
    here = pathlib.Path(__file__).parent
    stale = []
    for name, vectors in (("keys.json", keys_vectors()), ("rows.json", rows_vectors())):
        text = json.dumps(vectors, indent=1, ensure_ascii=True) + "\n"
        path = here / name
        if "--check" in sys.argv[1:]:
            if not path.exists() or path.read_text() != text:
                stale.append(name)
        else:
            path.write_text(text)
    if stale:
        sys.exit(f"{', '.join(stale)}: not what generate.py writes; run it and look at the difference")


if __name__ == "__main__":
    main()
