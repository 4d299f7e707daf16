"""The option groups that commands share, as cyclopts reads them from dataclasses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Group, Parameter, Token

from bulk_esm.cli import completing
from bulk_esm.cli.configured import own_unless_typed
from bulk_esm.cli.durations import parse_duration
from bulk_esm.model.mapping import SourceType, SourceTypeName

if TYPE_CHECKING:
    from bulk_esm.executors.tasks import Reach
    from bulk_esm.model.rollout import RolloutSettings

SELECT = Group("Which mappings", help="Repeat a flag to widen it; different flags narrow each other.", sort_key=1)
CHANGE = Group("Which change", sort_key=2)
RUN = Group("How it is done", sort_key=3)
ROLLOUT = Group("In waves, and when to halt", sort_key=4)
GUARDS = Group("Guards", sort_key=5)
COMMON = Group(
    "Common",
    help="Each flag is a variable too (BULK_ESM_RUNS_DIR), and a key of bulk-esm.toml: see bulk-esm config.",
    sort_key=7,
)


def _duration(_: object, tokens: Sequence[Token]) -> float:
    return parse_duration(tokens[0].value, tokens[0].keyword or "")


Duration = Annotated[float, Parameter(converter=_duration, n_tokens=1, metavar="DURATION")]


@Parameter(name="*", group=SELECT)
@dataclass(frozen=True, kw_only=True)
class SelectOptions:
    """Which mappings."""

    all_: Annotated[bool, Parameter(name="--all", help="Every mapping that no other flag leaves out.")] = False
    function: Annotated[
        tuple[str, ...],
        Parameter(
            alias="-f",
            help="GLOB of the function's name; of its ARN if it holds a colon. Quote it: 'orders-*'.",
        ),
    ] = ()
    exclude: Annotated[tuple[str, ...], Parameter(help="GLOB of functions to leave out.")] = ()
    source: Annotated[tuple[str, ...], Parameter(help="GLOB of the event source's ARN.")] = ()
    source_type: Annotated[tuple[SourceTypeName, ...], Parameter(help="Kind of event source.")] = ()
    state: Annotated[tuple[str, ...], Parameter(help="State, such as Enabled.")] = ()
    tag: Annotated[tuple[str, ...], Parameter(help="KEY or KEY=VALUE of the mapping's own tags.")] = ()
    function_tag: Annotated[tuple[str, ...], Parameter(help="KEY or KEY=VALUE of the function's tags.")] = ()
    where: Annotated[
        tuple[str, ...], Parameter(help="JMESPath over the mapping as Lambda returns it, such as 'BatchSize > `100`'.")
    ] = ()
    uuid: Annotated[tuple[str, ...], Parameter(help="UUID of a mapping, or its first 4 characters or more.")] = ()
    from_file: Annotated[
        tuple[str, ...],
        Parameter(
            allow_leading_hyphen=True,  # for the - alone
            help="FILE or -: a UUID or ARN a line, or JSON-lines with uuid, as `bulk-esm list` writes them.",
        ),
    ] = ()


@Parameter(name="*", group=CHANGE)
@dataclass(frozen=True, kw_only=True)
class ChangeOptions:
    """Which change."""

    set_: Annotated[
        tuple[str, ...],
        Parameter(
            name="--set",
            completer=completing.parameters,
            help="Name[.Sub...]=VALUE, the VALUE in JSON, else a string.",
        ),
    ] = ()
    unset: Annotated[
        tuple[str, ...],
        Parameter(completer=completing.parameters, help="Name to clear, in its documented clear form."),
    ] = ()
    change: Annotated[Path | None, Parameter(help="FILE with a JSON, YAML or TOML object of parameters.")] = None
    requests: Annotated[
        str | None,
        Parameter(
            allow_leading_hyphen=True,  # for the - alone
            help="FILE or -: JSON-lines, each an UpdateEventSourceMapping request with its UUID: every mapping "
            "its own change. Selects too.",
        ),
    ] = None
    allow_irreversible: Annotated[
        bool, Parameter(help="Change even a batching window of 500 ms, which can never be restored.")
    ] = False
    allow_unknown: Annotated[
        bool,
        Parameter(help="Send as given what is newer than this version: parameters, members, values."),
    ] = False


@Parameter(name="*", group=COMMON)
@dataclass(frozen=True, kw_only=True)
class AwsOptions:
    """How to reach AWS, and how fast."""

    region: Annotated[
        str | None,
        Parameter(alias="-r", completer=completing.regions, help="Region; by default AWS_REGION or the profile's."),
    ] = None
    profile: Annotated[
        str | None, Parameter(completer=completing.profiles, help="Profile of the AWS configuration files.")
    ] = None
    endpoint_url: Annotated[str | None, Parameter(help="Another endpoint than AWS's own.")] = None
    rate: Annotated[
        float | Literal["auto"] | None,
        Parameter(
            show_default="12",
            help="Requests/s. Lambda gives 15 to an account and Region; the default leaves a fifth free, and auto what "
            "CloudWatch says that others use.",
        ),
    ] = None
    concurrency: Annotated[int | None, Parameter(show_default="50", help="Requests in flight at once.")] = None
    timeout: Annotated[
        Duration | None, Parameter(show_default="15m", help="How long a mapping may take to settle: 90s, 15m, 2h.")
    ] = None

    def with_pace_of(self, rollout: RolloutSettings) -> AwsOptions:
        """The same, with what a run has of its own where nothing else was typed."""
        return replace(
            self,
            rate=own_unless_typed("--rate", self.rate, rollout.max_per_second),
            concurrency=own_unless_typed("--concurrency", self.concurrency, rollout.concurrency),
            timeout=own_unless_typed("--timeout", self.timeout, rollout.timeout_s),
        )

    @property
    def reach(self) -> Reach:
        """What they come to."""
        from bulk_esm.executors.tasks import Reach

        default = Reach()
        return Reach(
            endpoint_url=self.endpoint_url,
            max_per_second=default.max_per_second if self.rate is None or self.rate == "auto" else self.rate,
            concurrency=default.concurrency if self.concurrency is None else self.concurrency,
            timeout_s=default.timeout_s if self.timeout is None else self.timeout,
        )


@Parameter(name="*", group=COMMON)
@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """What is shown."""

    output: Annotated[
        Literal["table", "json", "jsonl", "csv"] | None,
        Parameter(
            alias="-o", help="Form of the results: by default a table on a terminal, else jsonl. json is one array."
        ),
    ] = None
    wide: Annotated[
        bool,
        Parameter(
            help="Whole tables. Else the least important of their columns are left out, and names and UUIDs shortened, "
            "as far as a terminal is too narrow."
        ),
    ] = False
    color: Annotated[
        Literal["auto", "always", "never"],
        Parameter(help="Color, in the log too: auto is on a terminal, unless NO_COLOR is set."),
    ] = "auto"
    quiet: Annotated[bool, Parameter(help="No progress and no summary.")] = False
    config_profile: Annotated[
        str | None, Parameter(help="NAME of a table [config-profile.NAME] of bulk-esm.toml that holds too.")
    ] = None
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Parameter(help="Lowest level of the log on stderr.")
    ] = "warning"
    log_format: Annotated[
        Literal["console", "json"], Parameter(help="Form of stderr; with json each line of it is an event.")
    ] = "console"


@Parameter(name="*", group=COMMON)
@dataclass(frozen=True, kw_only=True)
class RunsOptions:
    """Where runs are kept."""

    runs_dir: Annotated[str, Parameter(help="Where runs are kept: PATH or s3://BUCKET/PREFIX.")] = "bulk-esm-runs"
    runs_profile: Annotated[
        str | None,
        Parameter(
            completer=completing.profiles,
            help="Profile that reaches the bucket of --runs-dir; by default that of --profile.",
        ),
    ] = None
    runs_kms_key: Annotated[
        str | None, Parameter(help="KMS key that encrypts what is written there; by default as the bucket does.")
    ] = None
    salvage: Annotated[
        bool, Parameter(help="Work with what is whole of a damaged RUN or plan, and say what is not.")
    ] = False


ReportFile = Annotated[
    Path | None,
    Parameter(help="FILE to write a report to at the end, however it ended: .html, .md or .json. See bulk-esm report."),
]


@Parameter(name="*", group=RUN)
@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How a change is carried out."""

    yes: Annotated[bool, Parameter(alias="-y", help="Do not ask.")] = False
    dry_run: Annotated[bool, Parameter(alias="-n", help="Show the plan only.")] = False
    skip_blocked: Annotated[bool, Parameter(help="Carry out the rest of a plan in which some are blocked.")] = False
    report: ReportFile = None


@Parameter(name="*", group=ROLLOUT)
@dataclass(frozen=True, kw_only=True)
class WaveOptions:
    """Waves, failure budget and gates."""

    waves: Annotated[
        str | None,
        Parameter(
            help="Cumulative sizes of the waves, such as 1,5%,25%,100%, or linear:20% or exponential:1%. Each mixes "
            "source types and functions."
        ),
    ] = None
    soak: Annotated[Duration, Parameter(show_default="none", help="Pause between waves: 90s, 15m, 2h.")] = 0.0
    ramp: Annotated[
        Duration, Parameter(show_default="none", help="Spread the updates over this time, such as 10m.")
    ] = 0.0
    max_failures: Annotated[
        str | None,
        Parameter(
            help="Halt when more mappings than this fail: 10 or 2%. By default 1%, at least 5; any number in a run "
            "without waves of fewer than 20."
        ),
    ] = None
    bake: Annotated[
        Duration,
        Parameter(show_default="none", help="Watch so long after the last wave, such as 10m: it can halt then too."),
    ] = 0.0
    alarm: Annotated[
        tuple[str, ...],
        Parameter(help="NAME of a CloudWatch alarm that halts the run, from before it begins to the end of its bake."),
    ] = ()
    shard_alarm: Annotated[
        tuple[str, ...], Parameter(help="NAME of an alarm that each account and Region of a fleet has, read there.")
    ] = ()
    shard_alarm_halts: Annotated[
        Literal["shard", "fleet"], Parameter(help="What it halts: its account and Region alone, or all of the run.")
    ] = "shard"
    calendar: Annotated[
        tuple[str, ...],
        Parameter(
            help="NAME or ARN of a change calendar of Systems Manager that must be OPEN: while it is not, the next "
            "wave waits."
        ),
    ] = ()
    gate: Annotated[
        tuple[str, ...],
        Parameter(
            help="COMMAND that halts it with an exit code that is not 0, asked as alarms are; 75 is inconclusive."
        ),
    ] = ()
    watch: Annotated[
        tuple[str, ...],
        Parameter(
            help="NAME or 'NAME<VALUE' of CloudWatch's metrics of what is changed, such as errors or 'errors<5%': "
            "halts it where that does not hold, or without VALUE where it is worse than what was not changed yet."
        ),
    ] = ()
    gate_interval: Annotated[
        Duration, Parameter(show_default="30s", help="How often alarms and gates are asked while it sends or soaks.")
    ] = 30.0
    gate_timeout: Annotated[
        Duration, Parameter(show_default="5m", help="How long a gate may run; then it is stopped, and inconclusive.")
    ] = 300.0
    inconclusive_for: Annotated[
        Duration, Parameter(show_default="10m", help="How long a gate is asked again that is inconclusive.")
    ] = 600.0
    on_inconclusive: Annotated[Literal["halt", "go"], Parameter(help="What to do if it is so even then.")] = "halt"
    confirm_waves: Annotated[bool, Parameter(help="Ask before each wave but the first.")] = False
    approve_waves: Annotated[
        bool, Parameter(help="Before each wave but the first, wait for bulk-esm approve RUN: needs no terminal.")
    ] = False
    on_halt: Annotated[
        Literal["stop", "rollback"], Parameter(help="What to do when it halts: rollback puts back what it changed.")
    ] = "stop"


@Parameter(name="*", group=GUARDS)
@dataclass(frozen=True, kw_only=True)
class GuardOptions:
    """What must hold before anything is sent, and until when."""

    max_targets: Annotated[
        str | None, Parameter(help="Refuse to update more mappings than this: 100, or 5% of all that were seen.")
    ] = None
    min_targets: Annotated[
        str | None, Parameter(help="Refuse to update fewer mappings than this: 100, or 5% of all that were seen.")
    ] = None
    expect_account: Annotated[str | None, Parameter(help="Refuse credentials of another account than this ID.")] = None
    deadline: Annotated[
        str | None,
        Parameter(
            help="Send nothing that could not settle by then: 30m, 03:30Z, 2026-01-31T03:30+01:00, or calendar: when "
            "the first --calendar closes."
        ),
    ] = None
    window: Annotated[
        str | None,
        Parameter(
            help="When it may work, such as '02:00-04:30[Europe/Berlin]': waits for the opening, sends nothing that "
            "could not settle before the closing."
        ),
    ] = None
    grace: Annotated[
        Duration,
        Parameter(
            show_default="25s",
            help="How long SIGTERM or Ctrl-C waits for what was accepted; less than what kills this process gives it.",
        ),
    ] = 25.0
    no_lock: Annotated[
        bool, Parameter(help="Run beside another run on this machine for the same account and Region.")
    ] = False


RunName = Annotated[
    str,
    Parameter(
        name="RUN", completer=completing.runs, help="A run folder's path, a run's id, a unique prefix of it, or last."
    ),
]

SOURCE_TYPES = {str(source_type): source_type for source_type in SourceType}
