"""Whatever a file of a run holds, its readers give records or refuse it in words."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulk_esm.errors import RunFolderError
from bulk_esm.model.plan import PlanItem
from bulk_esm.model.records import FleetRecord, RunRecord
from bulk_esm.model.result import Result
from bulk_esm.store.jsonl import read_lines, read_salvaged
from bulk_esm.store.run_files import FLEET, RunFiles
from bulk_esm.store.saved_plan import read_plan
from bulk_esm.store.shard_files import RECORD

KINDS: tuple[Any, ...] = (PlanItem, Result, RunRecord, FleetRecord)
MEMBERS = sorted({field.encode_name for kind in KINDS for field in msgspec.structs.fields(kind)})


def _encoded(value: object) -> bytes:
    return json.dumps(value).encode()  # unlike msgspec, it writes lone surrogates and integers of any size


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=5),
    max_leaves=12,
)
LINES = st.one_of(
    st.binary(max_size=40),
    st.dictionaries(st.sampled_from(MEMBERS), VALUES, max_size=len(MEMBERS)).map(_encoded),
    st.sampled_from([b"[" * 100_000, b'{"a":' * 100_000, b'{"uuid":"\\ud800"}', b'{"uuid":"\xed\xa0\x80"}', b"1e999"]),
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(LINES, max_size=4).map(b"\n".join))
def test_every_file_is_read_or_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    for kind in KINDS:
        records, bad = read_salvaged(path, kind)
        assert all(isinstance(record, kind) for record in records)
        try:
            assert len(list(read_lines(path, kind))) <= len(records)
        except RunFolderError as error:
            assert bad
            assert str(error).startswith(f"{path}, line ")  # noqa: PT017 - likewise
    try:
        read_plan(path)
    except RunFolderError as error:
        assert str(path) in str(error)  # noqa: PT017 - likewise


@pytest.mark.parametrize("name", [RECORD, FLEET])
@pytest.mark.parametrize("content", [b"\xff", b"[" * 100_000, b"null", b"[]", b'{"shards": [1]}', b'{"run_id": 1}'])
def test_a_record_that_is_none(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RunFolderError):
        RunFiles(tmp_path).fleet()
