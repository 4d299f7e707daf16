"""Command lines by chance: flags of all commands with values that may be meant, and such as nobody means."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Final

from fuzz_command import ENVIRONMENT, Ended, Service, command
from fuzz_mutations import TEXTS
from fuzz_readers import A_MAPPING

_COMMANDS: Final = (
    "list",
    "plan",
    "apply",
    "pause",
    "resume",
    "rollback",
    "continue",
    "verify",
    "hold",
    "go",
    "stop",
    "approve",
    "runs",
    "show",
    "report",
    "config",
    "schema",
)
_SWITCHES: Final = (
    "--all", "--yes", "--dry-run", "--skip-blocked", "--allow-irreversible", "--quiet", "--salvage", "--force",
    "--approve-waves", "--rollback", "--wide", "-y", "-n",
    "--confirm-waves", "--accept-data-loss", "--no-lock", "--organization", "--help", "--version", "--", "-", "-x",
)  # fmt: skip
_VALUES: Final[dict[str, tuple[str, ...]]] = {
    "--function": ("orders-*", "[", "arn:aws:lambda:*", "!", "[!a-"),
    "--exclude": ("*",),
    "--source": ("*", "arn:aws:sqs:*"),
    "--source-type": ("sqs", "kinesis", "sns"),
    "--state": ("Enabled", "enabled", "On"),
    "--tag": ("a", "a=b", "=b"),
    "--function-tag": ("a", ""),
    "--where": (
        "BatchSize > `100`", "State == 'Enabled'", "[?", "contains(EventSourceArn, 'x')", "BatchSize > 'a'",
        "sort_by(@, &a)", "to_number(FunctionArn) > `1`", "length(Queues)", "@", "`", "map(&a, b)", "max(a)", "a[::0]",
        '`"\\ud800"`', "UUID < State", "join(', ', @)", "sum(Topics)", "starts_with(BatchSize, 'x')",
    ),
    "--uuid": (A_MAPPING["UUID"], "x", A_MAPPING["EventSourceMappingArn"], A_MAPPING["UUID"][:4], "0000", "0000-"),
    "--from-file": ("-", "file", "missing", "."),
    "--set": (
        "BatchSize=5", "Enabled=false", "FunctionName=g", "A.b=1", "BatchSize=1e999", "=", ".=1", "FilterCriteria={}",
        'FilterCriteria={"Filters":[{"Pattern":"{}"}]}', "ScalingConfig.MaximumConcurrency=5", "BatchSize=[[[[",
        'SourceAccessConfigurations=[{"Type":1}]', "BatchSize.x=1", "DestinationConfig.OnFailure.Destination=x",
    ),
    "--unset": ("FilterCriteria", "BatchSize", "", ".", "A.b"),
    "--change": ("file", "missing", "."),
    "--requests": ("-", "file"),
    "--plan": ("file", "missing", "."),
    "--save": ("saved", ".", "no/where", "/dev/full"),
    "--region": ("us-east-1", "eu-wst-1", "", "all"),
    "--profile": ("nobody", ""),
    "--endpoint-url": ("garbage", "http://127.0.0.1:9", "http://[", "http://127.0.0.1:99999", "ftp://x", "https://"),
    "--rate": ("12", "0", "nan", "1e-320", "-1", "inf", "1e308"),
    "--concurrency": ("1", "0", "-1", "1e3"),
    "--timeout": ("90s", "0s", "1e9d", "-1s", "15", "9999999999d"),
    "--output": ("table", "json", "jsonl", "csv", "xml"),
    "--color": ("always", "never", "x"),
    "--config-profile": ("prod", "", "x"),
    "--grace": ("1s", "0s", "x"),
    "--log-level": ("debug", "error", "x"),
    "--log-format": ("console", "json", ""),
    "--runs-dir": (".", "file", "runs", "file/runs", "\x00", "x" * 300),
    "--waves": ("1,100%", "0", "5%,1%", "1,,100%", "1e3%", "100%", "99999999999999999999%", "٣%,100%"),
    "--soak": ("1s", "1d", "", "1e400s"),
    "--max-failures": ("0", "1%", "-1", "x", "99999999999999999999999"),
    "--alarm": ("a",),
    "--shard-alarm": ("a", ""),
    "--shard-alarm-halts": ("shard", "fleet", "x"),
    "--calendar": ("a", "", "arn:aws:ssm:us-east-1:123456789012:document/a"),
    "--gate": ("true", "false", "", "\udcff", "exit 3", "kill $$"),
    "--on-halt": ("stop", "rollback", "x"),
    "--max-targets": ("1", "1%", "0", "200%"),
    "--expect-account": ("123456789012", "12", "²²²²²²²²²²²²"),
    "--deadline": (
        "30m", "03:30Z", "2026-01-31T03:30+01:00", "2099-01-01T00:00Z", "25:00Z", "9999-12-31T23:59-23:59", "calendar",
    ),
    "--ramp": ("1m", "x"),
    "--for": ("4h", "-4h", "9999999999d"),
    "--order": ("given", "representative", "x"),
    "--run": ("last", "2026", "", "/", "."),
    "--regions": ("us-east-1", "all", "us-east-1,us-east-1", ","),
    "--accounts": ("123456789012", "1,2", "123456789012,222222222222"),
    "--role-name": ("r", "a:b", "x/y", " "),
    "--role-arn": ("arn:aws:iam::{account_id}:role/r", "{x}", "arn:aws:iam::123456789012:role/r"),
    "--external-id": ("xx", ""),
    "--ou": ("ou-ab12-34cd56ef", "x"),
    "--exclude-account": ("123456789012", "x"),
    "--fleet": ("file", "missing", "."),
    "--shard-tag": ("a", "a=b", "="),
    "--shard-order": ("accounts", "regions", "x,,y", "us-east-1"),
    "--shards-at-once": ("1", "0"),
    "--max-failed-shards": ("0", "-1"),
    "--limit": ("0", "5", "-1", "x"),
    "--outcome": ("failed", "fialed"),
    "--status": ("halted", "x"),
    "--scheduler": ("tcp://127.0.0.1:1", "x", "http://["),
}  # fmt: skip
_POSITIONAL: Final = ("last", "20", "", "runs", ".", "\x00", "../..", "file")
# What a command may refuse only after it has asked: what is there, or who we are.
_NEEDED_TO_ASK: Final = (
    "blocked", "--max-targets", "no CloudWatch alarm", "the alarms", "organizational unit", "--expect-account",
    "nothing is selected", "credentials are of", "DescribeAlarms", "organizations:", "EndpointConnection", "Unknown",
    "is no Region", "no shard", "cannot be written", "cannot be paused", "would lose", "data", "the plan is empty",
    "--shard-order", "accounts", "--max-failures", "--ou", "is not a folder", "cannot be made", "--save", "stream",
    "File name too long", "calendar", "begins so", "give more of the UUID",
)  # fmt: skip


def arguments_of(random: Random) -> list[str]:
    """A command line."""
    found = [random.choice(_COMMANDS)] if random.random() < 0.97 else [random.choice(TEXTS)]
    if found[0] in {"rollback", "continue", "verify", "show", "report"} and random.random() < 0.9:
        found.append(random.choice(_POSITIONAL))
    for _ in range(random.randrange(7)):
        found += _a_flag(random)
    if random.random() < 0.7:
        asks_nothing = {"list", "plan", "verify", "runs", "show", "report", "config", "schema"}
        found += ["--yes"] if found[0] not in asks_nothing else []
        found += ["--all"] if found[0] in {"list", "plan", "apply", "pause", "resume"} else []
    return found


def _a_flag(random: Random) -> list[str]:
    if random.random() < 0.3:
        return [random.choice(_SWITCHES)]
    name = random.choice(list(_VALUES))
    value = random.choice(_VALUES[name] if random.random() < 0.85 else TEXTS)
    return random.choice(([name, value], [name, value], [f"{name}={value}"], [name]))


def _configured(random: Random) -> str:
    """A `bulk-esm.toml`: keys that are flags, in tables that may be commands, with values that may be meant."""
    lines = []
    for _ in range(random.randrange(5)):
        name = random.choice(list(_VALUES))
        value = random.choice((json.dumps(random.choice(_VALUES[name])), "true", "3", "[1]", random.choice(TEXTS)))
        lines.append(f"{name[2:]} = {value}")
        if random.random() < 0.3:
            lines.append(f"[{random.choice((*_COMMANDS, 'config-profile.prod', 'config-profile.prod.pause', 'x'))}]")
    return "\n".join(lines)


def trial(random: Random, home: Path) -> tuple[str, Ended, str | None]:
    """Run a command line.

    Returns:
        The command line, what it left behind, and what is wrong beside an error that nobody thought of, or None.
    """
    service = Service.of_size(2)
    arguments = arguments_of(random)
    (home / "file").write_bytes(random.choice(TEXTS).encode("utf-8", "surrogatepass"))
    (home / "runs").mkdir(exist_ok=True)
    stdin = random.choice((b"", A_MAPPING["UUID"].encode(), b"\xff", b'{"UUID":'))
    environment = {**ENVIRONMENT, "AWS_CONFIG_FILE": str(home / "config"), "HOME": str(home)}
    if random.random() < 0.1:
        (home / "config").write_bytes(random.choice(TEXTS).encode("utf-8", "surrogatepass") + b"\n[default]\nregion")
    if random.random() < 0.2:
        (home / "bulk-esm.toml").write_bytes(_configured(random).encode("utf-8", "surrogatepass"))
    done = command(service, *arguments, home=home, stdin=stdin, environment=environment)
    wrong = None
    if done.code == 2 and service.updates:
        wrong = "refused, and yet updates were sent"
    elif done.code == 2 and service.requests and not any(each in done.stderr for each in _NEEDED_TO_ASK):
        wrong = f"refused, and yet asked: {service.requests[:3]}"
    return " ".join(map(repr, arguments)), done, wrong
