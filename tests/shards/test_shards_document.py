"""Whatever a document is, it is read or refused in words."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulk_esm.errors import UsageError
from bulk_esm.shards.document import read_document
from bulk_esm.shards.file import read_fleet_file

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
UNREASONABLE = {
    "no UTF-8": b"a: \xff",
    "deep YAML": b"[" * 5000,
    "deep whole YAML": b"[" * 150 + b"]" * 150,
    "cycle": b"&a [*a]",
    "cycle in a key's value": b"a: &a\n  b: *a\n",
    "bomb": BOMB.encode(),
    "tag": b"a: !!python/object:os.system x",
    "binary": b"a: !!binary aGVsbG8=",
    "set": b"a: !!set {x}",
    "tagged date": b"a: !!timestamp 2001-02-30",
    "a key twice in YAML": b"a: 1\nb: 2\na: 3\n",
    "a key twice in JSON": b'{"a": 1, "b": {"c": 1, "c": 1}}',
    "a key twice in a list of YAML": b"- {a: 1, a: 1}",
    "deep blocks": b"- " * 5000,
    "tag on the wrong value": b"a: !!int [1]",
    "int that is none": b"a: !!int x",
    "lone surrogate": b'a: "\\ud800"',
    "large": b"a: " + b"9" * 30,
    "larger": b"a: " + b"9" * 5000,
    "list as a key": b"? [1]\n: 2\n",
    "NUL": b"a: \x00",
}


@pytest.mark.parametrize("damage", UNREASONABLE)
def test_what_no_document_is(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "document.yaml"
    path.write_bytes(UNREASONABLE[damage])
    with pytest.raises(UsageError, match="--change document"):
        read_document(path, "--change document")
    with pytest.raises(UsageError):
        read_fleet_file(path)


def test_aliases_are_read(tmp_path: Path) -> None:
    path = tmp_path / "document.yaml"
    path.write_bytes(b"a: &a {x: 1}\nb: *a\n")
    assert read_document(path, "") == {"a": {"x": 1}, "b": {"x": 1}}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("012345678901", "012345678901"),
        ("111111111111", 111111111111),
        ("on", "on"),
        ("no", "no"),
        ("true", True),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        ("12e5", "12e5"),
        ("0x1F", 31),
        ("1.5e3", 1500.0),
        ("~", None),
        ("2024-02-30", "2024-02-30"),
    ],
)
def test_plain_scalars_of_yaml_surprise_nobody(text: str, value: object, tmp_path: Path) -> None:
    path = tmp_path / "document.yaml"
    path.write_text(f"a: {text}\n")
    assert read_document(path, "") == {"a": value}


@pytest.mark.parametrize("name", ["document.yaml", "document.json"])
def test_a_key_that_is_given_twice_is_named(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(
        "shards: []\nregions: []\nshards: []\n" if name.endswith("yaml") else '{"shards": [], "shards": []}'
    )
    with pytest.raises(UsageError, match="the key 'shards' is given twice"):
        read_document(path, "--fleet")


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b'{\t"a":\t1}', 1),
        (b'{"a": "\\ud83d\\ude00"}', "\U0001f600"),
        (b'\xef\xbb\xbf{"a": 1}', 1),
        ('{"a": "\u2028\x85"}'.encode(), "\u2028\x85"),
        (b'{"a": 1e3}', 1000.0),
    ],
)
def test_json_is_read_as_json(content: bytes, value: object, tmp_path: Path) -> None:
    path = tmp_path / "document"
    path.write_bytes(content)
    assert read_document(path, "") == {"a": value}


def test_defaults_that_are_merged_are_no_key_twice(tmp_path: Path) -> None:
    path = tmp_path / "document.yaml"
    path.write_text("a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  y: 3\n")
    assert read_document(path, "") == {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}}


PIECES = st.sampled_from(
    [
        "shards",
        "regions",
        ": ",
        "- ",
        "\n",
        "  ",
        "[",
        "]",
        "{",
        "}",
        ",",
        '"',
        "&a ",
        "*a",
        "!!",
        "int ",
        "<<",
        "? ",
        "=",
    ]
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(st.binary(max_size=60), st.lists(PIECES | st.text(max_size=3), max_size=25).map("".join)),
    st.sampled_from(["yaml", "toml"]),
)
def test_every_file_is_a_fleet_or_refused(tmp_path: Path, content: bytes | str, suffix: str) -> None:
    path = tmp_path / f"fleet.{suffix}"
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    try:
        assert read_fleet_file(path).specs
    except UsageError as error:
        assert str(error)  # noqa: PT017 - either may happen
