"""The flags of a fleet."""

from pathlib import Path
from typing import Any

import pytest
from shards_samples import ONE, TWO, write

from bulk_esm.cli.fleet_options import FleetOptions
from bulk_esm.cli.options import AwsOptions
from bulk_esm.errors import UsageError
from bulk_esm.shards.settings import FleetSettings

DASK = {"regions": "us-east-1", "executor": "dask"}


def test_flags_become_settings() -> None:
    options = FleetOptions(
        regions="eu-west-1, us-east-1", ou=("ou-ab12-34cd56ef",), exclude_account=(f"{ONE},{TWO}",), role_name="x"
    )
    assert options.is_given
    assert options.first_region == "eu-west-1"
    assert options.settings("hub") == FleetSettings(
        regions=("eu-west-1", "us-east-1"),
        ous=("ou-ab12-34cd56ef",),
        exclude_accounts=(ONE, TWO),
        role_name="x",
        profile="hub",
    )
    options.checked(AwsOptions(profile="hub"))


def test_no_flags_are_no_fleet() -> None:
    options = FleetOptions()
    assert (options.is_given, options.first_region) == (False, None)
    options.checked(AwsOptions(region="us-east-1"))
    options.of_run("a run", has_shards=False)


def test_a_file_is_read_once(tmp_path: Path) -> None:
    path = write(tmp_path, f'[[shards]]\naccount = "{ONE}"\nregion = "us-east-1"\n')
    options = FleetOptions(fleet=path)
    options.checked(AwsOptions(region="eu-west-1"))
    path.unlink()  # a pipe could not be read again either
    assert options.is_given
    assert options.first_region == "us-east-1"
    file = options.settings().file
    assert file is not None
    assert [spec.account_id for spec in file.specs] == [ONE]


def test_where_the_home_region_decides_no_other_is_put_in_its_place(tmp_path: Path) -> None:
    path = write(tmp_path, f'[[shards]]\naccount = "{ONE}"\nregion = "us-east-1"\n[[shards]]\nprofile = "x"\n')
    assert FleetOptions(fleet=path).first_region is None
    assert FleetOptions(regions="all").first_region is None


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"shard_order": "accounts"}, "--shard-order goes with a fleet: add --accounts"),
        ({"shards_at_once": 3}, "--shards-at-once goes with a fleet"),
        ({"max_failed_shards": 0}, "--max-failed-shards goes with a fleet"),
        ({"executor": "process"}, "--executor goes with a fleet"),
        ({"scheduler": "tcp://x:1"}, "--scheduler goes with a fleet"),
        ({"role_name": "x"}, "--role-name goes with a fleet"),
        ({"shard_tag": ("x",)}, "--shard-tag goes with a fleet"),
        ({"exclude_account": (ONE,)}, "--exclude-account goes with a fleet"),
        ({"regions": ""}, "--regions '': a name is missing"),
        ({"regions": "us-east-1,"}, "a name is missing"),
        ({"accounts": ","}, "--accounts ',': a name is missing"),
        ({"accounts": "1234"}, "12 digits"),
        ({"regions": "us-east-1", "shard_order": ""}, "--shard-order ''"),
        ({"regions": "us-east-1", "shards_at_once": 0}, "--shards-at-once is at least 1"),
        ({"regions": "us-east-1", "max_failed_shards": -1}, "--max-failed-shards is at least 0"),
        (DASK, "add --scheduler tcp://HOST:PORT"),
        ({"regions": "us-east-1", "scheduler": "tcp://x:8786"}, "add --executor dask"),
        ({**DASK, "scheduler": "x:8786"}, "is no address"),
        ({**DASK, "scheduler": "localhost"}, "is no address"),
        ({**DASK, "scheduler": "tcp://x"}, "is no address"),
        ({**DASK, "scheduler": "tcp://:8786"}, "is no address"),
        ({**DASK, "scheduler": "tcp://x:99999"}, "is no address"),
        ({**DASK, "scheduler": "tcp://[::1:8786"}, "is no address"),
        ({**DASK, "scheduler": "tpc://x:8786"}, "did you mean tcp"),
        ({**DASK, "scheduler": "https://x:8786"}, "Dask knows tcp, tls"),
    ],
)
def test_flags_that_make_no_sense(flags: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        FleetOptions(**flags).checked(AwsOptions())


@pytest.mark.parametrize("address", ["tcp://localhost:8786", "tls://10.0.0.1:8786", "tcp://[::1]:8786", "wss://x:1"])
def test_schedulers(address: str) -> None:
    FleetOptions(regions="us-east-1", executor="dask", scheduler=address).checked(AwsOptions())


def test_one_flag_for_regions() -> None:
    with pytest.raises(UsageError, match="--region and --regions"):
        FleetOptions(regions="us-east-1").checked(AwsOptions(region="us-east-1"))
    FleetOptions(accounts=ONE).checked(AwsOptions(region="us-east-1"))


def test_a_run_says_itself_which_shards() -> None:
    FleetOptions(executor="process", shards_at_once=2).of_run("2026-pause", has_shards=True)
    with pytest.raises(UsageError, match="--accounts: the run says which shards"):
        FleetOptions(accounts=ONE).of_run("2026-pause", has_shards=True)
    with pytest.raises(UsageError, match="--executor goes with a fleet, and 2026-pause was in one account"):
        FleetOptions(executor="process").of_run("2026-pause", has_shards=False)
