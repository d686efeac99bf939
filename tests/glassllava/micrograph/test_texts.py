"""Texts of vendors: encodings, INI, XML and JSON, and the bounds of each."""

from __future__ import annotations

import json
import time

import pytest

from glassllava.micrograph import texts
from glassllava.micrograph.texts import BadText


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le", "utf-16-be"]
)
def test_text_in_every_encoding(encoding):
    words = "Größe = 5.82 µm\r\nDetector = InLens\r\n"
    assert texts.decoded(words.encode(encoding)) == words
    assert texts.decoded(words.encode(encoding) + b"\0\0") == words


def test_bytes_that_are_no_text_still_decode():
    for data in (b"", b"\0", b"\xff\xfe", b"\xff\xfe\x00", bytes(range(256)), b"\0a" * 3, b"a\0b"):
        assert isinstance(texts.decoded(data), str)


def test_sections_keep_equal_signs_and_the_last_of_two():
    found = texts.sections("x=0\n[A]\nk = v = w\nk=2\n[B]\n\n[A]\nm=3\nno sign\n")
    assert found == {"A": {"k": "2", "m": "3"}, "B": {}}


def test_elements_have_paths_words_and_attributes():
    leaves = texts.elements(
        '<?xml version="1.0" encoding="utf-16"?>'
        '<a xmlns:n="u:n" xmlns="u:d"> w <n:b unit="nm" n:k="1">5</n:b><b>6</b></a>'
    )
    assert [(leaf.path, leaf.text) for leaf in leaves] == [("a/b", "5"), ("a/b", "6"), ("a", "w")]
    assert leaves[0].attributes == {"unit": "nm", "k": "1"}
    assert texts.first(leaves) == {"a/b": "5", "a": "w"}
    assert texts.flat_xml(leaves) == {
        "a/b": "5",
        "a/b@unit": "nm",
        "a/b@k": "1",
        "a/b[2]": "6",
        "a": "w",
    }


def test_only_the_wanted_elements_are_kept():
    text = "<o>" + "<Plane/>" * 30_000 + "<Pixels SizeX='3'/></o>"
    (leaf,) = texts.elements(text, ("Pixels",))
    assert leaf.attributes == {"SizeX": "3"}


BILLION_LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY l0 "lol">'
    + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    + "]><FeiImage>&l9;</FeiImage>"
)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (BILLION_LAUGHS, "document type"),
        ('<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><x>&f;</x>', "document type"),
        ('<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd"><x/>', "document type"),
        ('<!DOCTYPE x [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]><x/>', "document type"),
        ("<x>&unknown;</x>", "torn"),
        ("<x>", "torn"),
        ("", "torn"),
        ("no markup", "torn"),
        ("<x>\x00</x>", "torn"),
        ("<x>" * 100_000, "nested or long"),
        ("<x>" + "<y/>" * 100_000 + "</x>", "nested or long"),
        ("<x>" + "w" * 5_000_000 + "</x>", "torn"),  # cut at the bound
        ("<x>\ud800</x>", "no valid characters"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else None,
)
def test_hostile_xml_is_refused_at_once(text, why):
    started = time.perf_counter()
    with pytest.raises(BadText, match=why):
        texts.elements(text)
    assert time.perf_counter() - started < 2


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000,
        '{"a":' * 200_000,
        '{"a": 1',
        "[1, 2]",
        "3",
        "",
        '{"a": ' + "9" * 10_000 + "}",
        " " * 5_000_000,
    ],
    ids=lambda text: text[:8],
)
def test_hostile_json_is_refused(text):
    with pytest.raises(BadText):
        texts.plain_json(text)


def test_json_numbers_that_are_none():
    found = texts.plain_json('{"a": NaN, "b": Infinity, "c": 1e999, "d": true, "e": "3", "f": 2}')
    numbers = {key: texts.json_number(value) for key, value in found.items()}
    assert numbers == {"a": None, "b": None, "c": None, "d": None, "e": None, "f": 2.0}
    assert texts.json_number(10**4000) is None


def test_flat_json_is_bounded():
    wide = {str(n): {str(k): n for k in range(100)} for n in range(1000)}
    assert len(texts.flat_json(wide)) == 5000
    assert texts.flat_json({"a": {"b": [1, "x", {"no": 1}]}, "c": None}) == {
        "a/b": "1, x",
        "c": "None",
    }
    deep: dict = {}
    inner = deep
    for _ in range(500):
        inner["k"] = {}
        inner = inner["k"]
    assert all(len(path) < 500 for path in texts.flat_json(deep))
    assert json.dumps(texts.flat_json(deep))
