"""What a fleet is: refused before anything is sent where it makes no sense."""

from pathlib import Path
from typing import Any

import pytest
from shards_samples import ONE, TWO, write

from bulk_esm.errors import UsageError
from bulk_esm.shards.file import FleetFile, read_fleet_file
from bulk_esm.shards.settings import FleetSettings

TEMPLATE = "arn:aws:iam::{account_id}:role/x"
UNIT = "ou-ab12-34cd56ef"


@pytest.fixture
def file(tmp_path: Path) -> FleetFile:
    shards = [f'[[shards]]\naccount = "{ONE}"\nregion = "{region}"\n' for region in ("eu-west-1", "us-east-1")]
    return read_fleet_file(write(tmp_path, f'{shards[0]}tags = {{stage = "canary"}}\n{shards[1]}'))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"regions": ("all",)},
        {"accounts": (ONE,)},
        {"accounts": (ONE,), "role_arn": f"arn:aws:iam::{ONE}:role/x", "external_id": "secret"},
        {"accounts": (ONE, TWO), "role_name": "x"},
        {"accounts": (ONE, TWO), "role_arn": TEMPLATE},
        {"organization": True, "role_name": "x", "exclude_accounts": (ONE,)},
        {"ous": (UNIT, "r-ab12"), "role_arn": TEMPLATE},
    ],
)
def test_what_makes_sense_passes(settings: dict[str, Any]) -> None:
    FleetSettings(**settings)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"regions": ("us-esat-1",)}, "--regions 'us-esat-1' .*did you mean us-east-1"),
        ({"regions": ("nowhere",)}, "newer botocore"),
        ({"regions": ("us-east-1", "us-east-1")}, "us-east-1 is named twice"),
        ({"regions": ("us-east-1", "all")}, "all alone"),
        ({"accounts": ("1234",)}, "--accounts '1234' is no account id, which has 12 digits"),
        ({"accounts": ("١١١١١١١١١١١١",)}, "12 digits"),  # noqa: RUF001 - digits, but not those
        ({"accounts": (ONE, ONE), "role_name": "x"}, f"{ONE} is named twice"),
        ({"accounts": (ONE, TWO)}, "--role-name NAME or --role-arn TEMPLATE"),
        ({"organization": True}, "--role-name NAME or --role-arn TEMPLATE"),
        ({"accounts": (ONE, TWO), "role_arn": f"arn:aws:iam::{ONE}:role/x"}, f"of account {ONE} alone.*{{account_id}}"),
        ({"accounts": (TWO,), "role_arn": f"arn:aws:iam::{ONE}:role/x"}, f"of account {ONE}, not of {TWO}"),
        ({"accounts": (ONE,), "role_name": "x", "role_arn": TEMPLATE}, "give one of them"),
        ({"accounts": (ONE,), "external_id": "secret"}, "goes with a role"),
        ({"accounts": (ONE,), "organization": True, "role_name": "x"}, "--accounts and --organization"),
        ({"accounts": (ONE,), "ous": (UNIT,), "role_name": "x"}, "--accounts and --ou"),
        ({"organization": True, "ous": (UNIT,), "role_name": "x"}, "--organization is all of it"),
        ({"accounts": (ONE,), "exclude_accounts": (TWO,)}, "add --organization or --ou"),
        ({"organization": True, "exclude_accounts": ("12",), "role_name": "x"}, "--exclude-account '12'.*12 digits"),
        ({"ous": ("sales",), "role_name": "x"}, "--ou 'sales' .*such as ou-"),
        ({"shard_tags": ("stage",)}, "--fleet FILE"),
    ],
)
def test_what_makes_no_sense_is_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        FleetSettings(**settings)


@pytest.mark.parametrize(
    ("settings", "flag"),
    [
        ({"accounts": (ONE,)}, "--accounts"),
        ({"regions": ("us-east-1",)}, "--regions"),
        ({"organization": True}, "--organization"),
        ({"ous": (UNIT,)}, "--ou"),
        ({"exclude_accounts": (ONE,)}, "--exclude-account"),
        ({"role_name": "x"}, "--role-name"),
        ({"role_arn": TEMPLATE}, "--role-arn"),
        ({"external_id": "secret"}, "--external-id"),
    ],
)
def test_a_file_says_it_alone(file: FleetFile, settings: dict[str, Any], flag: str) -> None:
    FleetSettings(file=file, profile="hub")
    with pytest.raises(UsageError, match=f"goes without {flag}$"):
        FleetSettings(file=file, **settings)


@pytest.mark.parametrize(
    ("tag", "said"),
    [("stage=canray", "did you mean stage=canary"), ("stgae", "did you mean stage"), ("=x", "KEY or KEY=VALUE")],
)
def test_tags_that_no_shard_has(file: FleetFile, tag: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        FleetSettings(file=file, shard_tags=(tag,))
