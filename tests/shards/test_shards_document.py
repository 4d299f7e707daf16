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
    "date": b"a: 2001-01-01",
    "no date": b"a: 2001-99-99",
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
