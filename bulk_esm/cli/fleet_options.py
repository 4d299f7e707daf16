"""The flags of a fleet: which accounts and Regions, in which order, and who does the work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from cyclopts import Group, Parameter

from bulk_esm.cli import completing
from bulk_esm.cli.configured import typed
from bulk_esm.cli.options import AwsOptions
from bulk_esm.errors import UsageError

if TYPE_CHECKING:
    from bulk_esm.model.records import RunRecord
    from bulk_esm.shards.file import FleetFile
    from bulk_esm.shards.settings import FleetSettings

ExecutorName = Literal["local", "process", "dask"]

FLEET = Group("A fleet: many accounts and Regions", sort_key=6)

# Those over a network: https://distributed.dask.org/en/stable/protocol.html and its registry of backends.
_SCHEMES: Final = ("tcp", "tls", "ws", "wss", "ucx", "ucxx")
_ADD: Final = "add --accounts, --regions, --organization, --ou or --fleet"


@Parameter(name="*", group=FLEET)
@dataclass(frozen=True, kw_only=True)
class FleetOptions:
    """Which fleet, and who works in it."""

    regions: Annotated[
        str | None,
        Parameter(
            completer=completing.regions, help="Regions, such as eu-west-1,us-east-1; or all: those that are enabled."
        ),
    ] = None
    accounts: Annotated[str | None, Parameter(help="Account ids, such as 111111111111,222222222222.")] = None
    role_name: Annotated[str | None, Parameter(help="NAME of the role to assume in each account.")] = None
    role_arn: Annotated[
        str | None, Parameter(help="Its ARN instead, such as 'arn:aws:iam::{account_id}:role/path/name'.")
    ] = None
    external_id: Annotated[str | None, Parameter(help="What the role's trust policy asks for.")] = None
    organization: Annotated[bool, Parameter(help="All active accounts of the organization.")] = False
    ou: Annotated[tuple[str, ...], Parameter(help="ID of an organizational unit: its active accounts.")] = ()
    exclude_account: Annotated[tuple[str, ...], Parameter(help="Account ids of these to leave out.")] = ()
    fleet: Annotated[
        Path | None, Parameter(help="FILE in TOML or YAML with the shards: account, region, role, rate, tags.")
    ] = None
    shard_tag: Annotated[tuple[str, ...], Parameter(help="KEY or KEY=VALUE of shards of the file.")] = ()
    shard: Annotated[
        tuple[str, ...], Parameter(help="Of all these only this one, such as 111111111111-eu-west-1; may be repeated.")
    ] = ()
    shard_order: Annotated[
        str | None,
        Parameter(
            help="One after another, each with its own waves: accounts, regions, or the accounts and Regions that go "
            "first, such as 111111111111,eu-west-1."
        ),
    ] = None
    shards_at_once: Annotated[int | None, Parameter(help="How many shards are worked in at once.")] = None
    max_failed_shards: Annotated[int | None, Parameter(help="Halt when more shards than this fail.")] = None
    executor: Annotated[
        ExecutorName | None,
        Parameter(show_default="local", help="Who does the work: this process, all cores, or a running Dask cluster."),
    ] = None
    scheduler: Annotated[str | None, Parameter(help="Dask's scheduler: tls://HOST:PORT or tcp://HOST:PORT.")] = None

    def with_work_of(self, record: RunRecord) -> Self:
        """The same, with what a run has of its own where nothing else was given.

        Args:
            record: the run's.
        """
        executor = self.executor or self._executor_of(record)
        at_once = record.rollout.shards_at_once if self.shards_at_once is None else self.shards_at_once
        scheduler = record.scheduler if executor == "dask" and self.scheduler is None else self.scheduler
        return replace(self, executor=executor, scheduler=scheduler, shards_at_once=at_once)

    def _executor_of(self, record: RunRecord) -> ExecutorName:
        match record.executor:
            case "process":
                return "process"
            case "dask" if self.scheduler or record.scheduler:  # which older versions did not record
                return "dask"
            case _:
                return "local"

    @property
    def is_given(self) -> bool:
        """Whether a fleet is meant, and not the account and Region of the credentials alone."""
        return any(given for flag, given in self._which().items() if flag in _NAMES_A_FLEET)

    @property
    def first_region(self) -> str | None:
        """A Region of the fleet; None where the home Region of the credentials decides about any of it.

        Raises:
            UsageError: a malformed list, or a file that cannot be read.
        """
        from bulk_esm.shards.spec import ALL_REGIONS

        if self._file is not None:
            named = [spec.regions[:1] for spec in self._file.specs]
            return named[0][0] if all(regions not in ((), (ALL_REGIONS,)) for regions in named) else None
        first = next(iter(_names("--regions", self.regions)), ALL_REGIONS)
        return None if first == ALL_REGIONS else first

    def settings(self, profile: str | None = None) -> FleetSettings:
        """What the fleet is.

        Raises:
            UsageError: a malformed list, or a file that cannot be read.
        """
        from bulk_esm.shards.settings import FleetSettings

        return FleetSettings(
            regions=_names("--regions", self.regions),
            accounts=_names("--accounts", self.accounts),
            role_name=self.role_name,
            role_arn=self.role_arn,
            external_id=self.external_id,
            organization=self.organization,
            ous=self.ou,
            exclude_accounts=tuple(name for text in self.exclude_account for name in _names("--exclude-account", text)),
            file=self._file,
            shard_tags=self.shard_tag,
            shards=self.shard,
            profile=profile,
        )

    def checked(self, aws: AwsOptions) -> FleetOptions:
        """Refuse what makes no sense, before anything is sent.

        Returns:
            What of it applies: without a fleet nothing does that was configured for one.

        Raises:
            UsageError: flags that exclude or lack each other, or malformed ones; see `FleetSettings` too.
        """
        if not self.is_given:
            return self._without(self._which() | self._how(), f" goes with a fleet: {_ADD}")
        if self.regions is not None and aws.region is not None:
            raise UsageError(
                "--region and --regions both say where; leave --region out (AWS_REGION says where alarms are asked for)"
            )
        self._check_how()
        self.settings(aws.profile)
        return self

    def of_run(self, run_id: str, *, has_shards: bool) -> Self:
        """Refuse what makes no sense beside an earlier run, which says which shards.

        Returns:
            What of it applies: what was configured for other fleets does not.

        Raises:
            UsageError: such a flag is given.
        """
        if has_shards:
            why = ": the run says which shards, and how to get into them; leave it out"
            self._check_how()
            return self._without(self._which(), why)
        why = f" goes with a fleet, and {run_id} was in one account and Region"
        return self._without(self._which() | self._how(), why)

    def continued(self) -> Self:
        """Refuse what a run that is continued has of its own.

        Returns:
            The rest.

        Raises:
            UsageError: it is given.
        """
        own = {
            "--shard-order": self.shard_order is not None,
            "--max-failed-shards": self.max_failed_shards is not None,
        }
        return self._without(own, ": a run that is continued keeps its own; leave it out")

    def _without(self, given: Mapping[str, bool], why: str) -> Self:
        """Refuse flags that do not apply, if they were typed; leave out those that were configured."""
        _refuse_any(typed(given), why)
        default = FleetOptions()
        names = (flag.removeprefix("--").replace("-", "_") for flag in _given(given))
        return replace(self, **{name: getattr(default, name) for name in names})

    @cached_property
    def _file(self) -> FleetFile | None:
        from bulk_esm.shards.file import read_fleet_file

        # Read once: it may be a pipe.
        return None if self.fleet is None else read_fleet_file(self.fleet)

    def _which(self) -> dict[str, bool]:
        return {
            "--regions": self.regions is not None,
            "--accounts": self.accounts is not None,
            "--organization": self.organization,
            "--ou": bool(self.ou),
            "--fleet": self.fleet is not None,
            "--role-name": self.role_name is not None,
            "--role-arn": self.role_arn is not None,
            "--external-id": self.external_id is not None,
            "--exclude-account": bool(self.exclude_account),
            "--shard-tag": bool(self.shard_tag),
            "--shard": bool(self.shard),
        }

    def _how(self) -> dict[str, bool]:
        return {
            "--shard-order": self.shard_order is not None,
            "--shards-at-once": self.shards_at_once is not None,
            "--max-failed-shards": self.max_failed_shards is not None,
            "--executor": self.executor not in {None, "local"},
            "--scheduler": self.scheduler is not None,
        }

    def _check_how(self) -> None:
        if self.shards_at_once is not None and self.shards_at_once < 1:
            raise UsageError(f"--shards-at-once is at least 1, not {self.shards_at_once}")
        if self.max_failed_shards is not None and self.max_failed_shards < 0:
            raise UsageError(f"--max-failed-shards is at least 0, not {self.max_failed_shards}")
        if self.shard_order is not None and not all(name.strip() for name in self.shard_order.split(",")):
            raise UsageError(f"--shard-order {self.shard_order!r}: write accounts, regions, or names with commas")
        if self.executor == "dask" and self.scheduler is None:
            raise UsageError("--executor dask needs a running cluster: add --scheduler tcp://HOST:PORT")
        if self.scheduler is None:
            return
        if self.executor != "dask":
            raise UsageError("--scheduler is Dask's: add --executor dask")
        _check_scheduler(self.scheduler)


_HIDDEN: Final = Parameter(show=False)  # refused with why, if they are typed all the same


@Parameter(name="*", group=FLEET)
@dataclass(frozen=True, kw_only=True)
class RunFleetOptions(FleetOptions):
    """Who works in the fleet of an earlier run, which says which shards, and how to get into them."""

    regions: Annotated[str | None, _HIDDEN] = None
    accounts: Annotated[str | None, _HIDDEN] = None
    role_name: Annotated[str | None, _HIDDEN] = None
    role_arn: Annotated[str | None, _HIDDEN] = None
    external_id: Annotated[str | None, _HIDDEN] = None
    organization: Annotated[bool, _HIDDEN] = False
    ou: Annotated[tuple[str, ...], _HIDDEN] = ()
    exclude_account: Annotated[tuple[str, ...], _HIDDEN] = ()
    fleet: Annotated[Path | None, _HIDDEN] = None
    shard_tag: Annotated[tuple[str, ...], _HIDDEN] = ()
    shard: Annotated[tuple[str, ...], _HIDDEN] = ()


_NAMES_A_FLEET: Final = frozenset({"--regions", "--accounts", "--organization", "--ou", "--fleet"})


def _names(flag: str, text: str | None) -> tuple[str, ...]:
    if text is None:
        return ()
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise UsageError(f"{flag} {text!r}: a name is missing; write them with commas between, or leave it out")
    return names


def _refuse_any(given: Mapping[str, bool], why: str) -> None:
    for flag in _given(given):
        raise UsageError(f"{flag}{why}")


def _given(flags: Mapping[str, Any]) -> Iterable[str]:
    return (flag for flag, given in flags.items() if given)


def _check_scheduler(address: str) -> None:
    try:
        parts = urlsplit(address)
        complete = bool(parts.hostname and parts.port)
    except ValueError:  # a port that is none, or an unclosed bracket
        raise UsageError(f"--scheduler {address!r} is no address; write tcp://HOST:PORT or tls://HOST:PORT") from None
    if "://" in address and parts.scheme not in _SCHEMES:
        from bulk_esm.model.parameters import nearest

        hint = nearest(parts.scheme, _SCHEMES) or f"; Dask knows {', '.join(_SCHEMES)}"
        raise UsageError(f"--scheduler {address!r}: {parts.scheme} is no way to reach one{hint}")
    if "://" not in address or not complete:
        raise UsageError(f"--scheduler {address!r} is no address; write tcp://HOST:PORT or tls://HOST:PORT")
