"""UUIDs as people type them: whole, in ARNs, and by their beginnings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_esm.errors import UsageError
from bulk_esm.model.uuids import is_beginning, is_whole, read_uuid, the_only_one

UUID = "0178c43c-379d-40d0-9dce-0ece042b29bf"
OTHER = "0178c43c-379d-50d0-9dce-0ece042b29bf"
ARN = f"arn:aws:lambda:us-east-1:123456789012:event-source-mapping:{UUID}"


@given(st.uuids().map(str), st.integers(4, 36))
def test_each_beginning_of_a_uuid_names_it(uuid: str, length: int) -> None:
    typed = read_uuid(uuid[:length].upper(), "--uuid")
    assert typed == uuid[:length]
    assert is_whole(typed) != is_beginning(typed)
    assert the_only_one(typed, [uuid], "--uuid") == uuid


@given(st.text(st.sampled_from("0123456789abcdef-"), max_size=40))
def test_nothing_else_is_one(text: str) -> None:
    if is_beginning(text):
        assert 4 <= len(text) < 36
        assert [index for index, each in enumerate(text) if each == "-"] == [
            index for index in (8, 13, 18, 23) if index < len(text)
        ]


@pytest.mark.parametrize("text", ["", "017", "0178c43g", "0178-", "0178c43c379d", f"{UUID}0", "orders", "*"])
def test_what_is_neither(text: str) -> None:
    with pytest.raises(UsageError, match=r"--uuid: .* is not a mapping's UUID"):
        read_uuid(text, "--uuid")


def test_arns() -> None:
    assert read_uuid(f" {ARN} ", "--uuid") == UUID


def test_several_are_named_and_none_is_told() -> None:
    with pytest.raises(UsageError, match=f"--uuid 0178 fits 2 mappings: {UUID}, {OTHER}; give more of the UUID"):
        the_only_one("0178", [OTHER, UUID, UUID], "--uuid")
    with pytest.raises(UsageError, match="no mapping has a UUID that begins so"):
        the_only_one("9999", [OTHER, UUID], "--uuid")
    many = [f"0178c43c-379d-40d0-9dce-0ece042b29{number:02}" for number in range(12)]
    with pytest.raises(UsageError, match=r"fits 12 mappings: .* and 7 more; "):
        the_only_one("0178c43c", many, "--uuid")
