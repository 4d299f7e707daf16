"""The fleet file: read in each form, and refused with its place."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from shards_samples import ONE, TWO, write

from bulk_esm.errors import UsageError
from bulk_esm.shards.file import read_fleet_file

SHARD = f'[[shards]]\naccount = "{ONE}"\nregion = "eu-west-1"\n'
REGIONS = ("eu-west-1", "us-east-1", "ap-south-1")
text = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8)
shards = st.fixed_dictionaries(
    {
        "account": st.from_regex(r"[0-9]{12}", fullmatch=True),
        "regions": st.lists(st.sampled_from(REGIONS), min_size=1, unique=True),
    },
    optional={
        "role_name": st.just("x"),
        "profile": text,
        "rate": st.floats(0.5, 20),
        "tags": st.dictionaries(text, text),
    },
)


def toml(shards: list[dict[str, Any]]) -> str:
    """JSON's strings, numbers and lists are TOML's too."""
    lines: list[str] = []
    for each in shards:
        flat = {key: value for key, value in each.items() if key != "tags"}
        flat |= {f"tags.{msgspec.json.encode(key).decode()}": value for key, value in each.get("tags", {}).items()}
        lines += ["[[shards]]", *(f"{key} = {msgspec.json.encode(value).decode()}" for key, value in flat.items())]
    return "\n".join(lines)


@given(
    shards=st.lists(shards, min_size=1, max_size=4, unique_by=lambda each: each["account"]), form=st.sampled_from("tyj")
)
def test_what_is_written_is_read(shards: list[dict[str, Any]], form: str) -> None:
    document = {"shards": shards}
    with TemporaryDirectory() as folder:
        match form:
            case "t":
                path = write(Path(folder), toml(shards))
            case "y":
                path = write(Path(folder), yaml.safe_dump(document, allow_unicode=True), "fleet.yaml")
            case _:
                path = write(Path(folder), msgspec.json.encode(document).decode(), "fleet.json")
        specs = read_fleet_file(path).specs
    assert [
        {
            "account": spec.account_id,
            "regions": list(spec.regions),
            "role_name": spec.role_name,
            "profile": spec.profile,
            "rate": spec.max_per_second,
            "tags": spec.tags,
        }
        for spec in specs
    ] == [{"role_name": None, "profile": None, "rate": None, "tags": {}} | shard for shard in shards]


def test_what_holds_for_all_gives_way_to_a_shards_own(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        f"""
        regions = ["eu-west-1", "us-east-1"]
        role_name = "bulk-esm"
        external_id = "secret"
        profile = "hub"
        rate = 5
        tags = {{stage = "rest", team = "x"}}
        [[shards]]
        account = "{ONE}"
        [[shards]]
        region = "all"
        role_arn = "arn:aws:iam::{TWO}:role/other"
        external_id = "other"
        rate = 2.5
        tags = {{stage = "canary"}}
        [[shards]]
        profile = "own"
        role_name = ""
        """,
    )
    plain, other, bare = read_fleet_file(path).specs
    assert (plain.regions, plain.role_name, plain.role_arn) == (("eu-west-1", "us-east-1"), "bulk-esm", None)
    assert (plain.external_id, plain.profile, plain.max_per_second) == ("secret", "hub", 5.0)
    assert (other.regions, other.role_name, other.known_account_id) == (("all",), None, TWO)
    assert (other.external_id, other.max_per_second) == ("other", 2.5)
    assert other.tags == {"stage": "canary", "team": "x"}
    assert (bare.profile, bare.role_name, bare.external_id, bare.known_account_id) == ("own", None, None, None)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (SHARD + 'regoin = "us-east-1"\n', "shard 1: unknown key 'regoin'; did you mean region"),
        (f'role_nmae = "x"\n{SHARD}', "unknown key 'role_nmae'; did you mean role_name"),
        (SHARD.replace("shards", "shard"), "unknown key 'shard'; did you mean shards"),
        (SHARD + "zzz = 1\n", "unknown key 'zzz'; known are .*account"),
        (f"{SHARD}{SHARD}", rf"shard 2 is shard {ONE}-eu-west-1, and so is .*shard 1"),
        (SHARD.replace(ONE, "1234"), "shard 1, account '1234' is no account id, which has 12 digits"),
        (SHARD.replace(f'"{ONE}"', ONE), "shard 1, account: expected str.*, got int; quote it"),
        (SHARD.replace("eu-west-1", "eu-wset-1"), "shard 1, region 'eu-wset-1' .*did you mean eu-west-1"),
        (SHARD + 'regions = ["us-east-1"]\n', "shard 1: region and regions"),
        (SHARD.replace('region = "eu-west-1"', "regions = []"), "shard 1, regions: it is empty"),
        (SHARD.replace('region = "eu-west-1"', 'regions = ["all", "us-east-1"]'), "all alone"),
        (SHARD.replace('region = "eu-west-1"', 'regions = ["us-east-1", "us-east-1"]'), "us-east-1 is named twice"),
        (SHARD + "rate = 0\n", "shard 1, rate: expected float > 0"),
        (SHARD + "rate = nan\n", "shard 1, rate: expected float > 0"),
        (SHARD + 'rate = "5"\n', "shard 1, rate: expected float"),
        (SHARD + "tags = {stage = 1}\n", "shard 1, tags.*quote it"),
        (SHARD + 'role_name = "x"\nrole_arn = "arn:aws:iam::{account_id}:role/x"\n', "shard 1: .*give one of them"),
        (f'role_arn = "arn:aws:iam::{TWO}:role/x"\n{SHARD}', "shard 1, role_arn: .*write {account_id}"),
        (SHARD + 'external_id = "xyz"\n', "shard 1: an external id goes with a role"),
        (f'external_id = "xyz"\n{SHARD}', "external_id: it goes with a role"),
        ("", "it has no shards"),
        ("shards = []", "it has no shards"),
        ("shards = [1]", "shard 1: it is no object"),
        ("shards = 1", "shards: expected array"),
        ("shards = [", "not JSON, YAML or TOML"),
    ],
)
def test_bad_files_are_refused_with_their_place(tmp_path: Path, document: str, said: str) -> None:
    path = write(tmp_path, document)
    with pytest.raises(UsageError, match=said) as refused:
        read_fleet_file(path)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("shards: [{account: 123456789012, region: eu-west-1}]", "shard 1, account: .*quote it"),
        ("- account: x", "no object"),
        ("shards: [", "not JSON, YAML or TOML"),
        ("{1: 2}", "unknown key 1"),
    ],
)
def test_bad_yaml(tmp_path: Path, document: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_fleet_file(write(tmp_path, document, "fleet.yaml"))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"missing\.toml: No such file"):
        read_fleet_file(tmp_path / "missing.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="not text in UTF-8"):
        read_fleet_file(tmp_path / "binary.toml")
