"""`bulk-esm doctor`: what is wrong is named, with what to do, before a job is begun; and `--rate auto`.

Who uses the quota, and how much there is of it, the simulator tells: moto has neither (its Service Quotas do not know
this one). A policy of S3 is a proxy before moto.
"""

import csv
import io
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_harness import ACCOUNT, FAST, NO_SUCH_UUID, Cli, Done, Inside, Simulated
from s3_proxy import Kind as Fault
from s3_proxy import every, s3_proxy
from s3_server import BUCKET, S3Server, s3_server

from bulk_esm.simulator import Denial, Faults, Kind

GET, UPDATE, LIST = (f"lambda:{name}EventSourceMapping{'s' * (name == 'List')}" for name in ("Get", "Update", "List"))
OTHER = "222222222222"
FLEET = ("--accounts", f"{ACCOUNT},{OTHER}", "--role-name", "bulk-esm", "--regions", "us-east-1")
ROLE = f"arn:aws:iam::{OTHER}:role/bulk-esm"


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


def simulated(**settings: Any) -> Simulated:
    return Simulated(mappings=5, speed=1.0, **settings)


def denying(*actions: str) -> Faults:
    return Faults(denied_actions=frozenset(actions))


def found(done: Done, what: str, shard: str | None = None) -> dict[str, Any]:
    [check] = (each for each in done.records if (each["what"], each["shard"]) == (what, shard))
    return check


def verdicts(done: Done, shard: str | None = None) -> dict[str, str]:
    return {each["what"]: each["verdict"] for each in done.records if each["shard"] == shard}


def policy_of(done: Done) -> Any:
    return json.loads(done.stderr[done.stderr.index("{\n") :])


def test_all_is_well_and_nothing_is_changed(inside: Inside, tmp_path: Path) -> None:
    with simulated() as world:
        before = world.mappings()
        done = inside(world.environment, "doctor", "--tag", "team=a", "--rate", "auto", "--yes", "--set", "BatchSize=7")
        assert done.code == 0, done.stderr
        assert set(verdicts(done).values()) == {"ok"}
        assert f"arn:aws:iam::{ACCOUNT}:user/simulated" in found(done, "credentials")["detail"]
        assert "from AWS_ACCESS_KEY_ID" in found(done, "credentials")["detail"]
        assert {"clock", "store", "TLS and proxy", "quota", LIST, GET, UPDATE, "tag:GetResources"} < set(
            verdicts(done)
        ) | {"credentials"}
        assert "it can be done here: 9 ok (took 3 requests of Lambda's quota, and changed no mapping)" in done.stderr
        report = world.report()
        assert [report.count(kind) for kind in (Kind.LIST, Kind.GET, Kind.UPDATE)] == [1, 1, 1]
        assert report.count(Kind.UPDATE, 404) == 1
        assert world.mappings() == before
    assert list(tmp_path.iterdir()) == []


def test_a_role_that_lacks_get(inside: Inside) -> None:
    with simulated(faults=denying(GET)) as world:
        done = inside(world.environment, "doctor")
    assert done.code == 1
    check = found(done, GET)
    assert check["verdict"] == "warning"
    assert "runs look with List alone" in check["detail"]
    assert check["advice"] == f"allow {GET} on *"
    assert "it will work, with warnings" in done.stderr
    assert policy_of(done)["Statement"] == [{"Effect": "Allow", "Action": [GET], "Resource": "*"}]


def test_a_role_that_lacks_update_is_not_known_to(inside: Inside) -> None:
    """It may be allowed for mappings that a policy names, of which the probe is none."""
    with simulated(faults=denying(UPDATE)) as world:
        done = inside(world.environment, "doctor")
        assert world.report().count(Kind.UPDATE) == 1
    check = found(done, UPDATE)
    assert (done.code, check["verdict"]) == (1, "unknown")
    assert "a policy may allow it for some mappings" in check["detail"]
    assert "bulk-esm apply --uuid UUID" in check["advice"]


def test_a_role_that_lacks_list(inside: Inside) -> None:
    with simulated(faults=denying(LIST, "tag:GetResources", "cloudwatch:DescribeAlarms")) as world:
        done = inside(world.environment, "doctor", "--function-tag", "a", "--alarm", "lag", "--waves", "1,100%")
    assert done.code == 5
    for action in (LIST, "tag:GetResources", "cloudwatch:DescribeAlarms"):
        assert found(done, action)["verdict"] == "failed"
        assert found(done, action)["advice"] == f"allow {action} on *"
    assert "it cannot be done here" in done.stderr


def test_that_metrics_may_be_read_is_looked_at(inside: Inside) -> None:
    with simulated() as world:
        done = inside(world.environment, "doctor", "--watch", "errors")
        assert found(done, "cloudwatch:GetMetricData")["verdict"] == "ok"
    with simulated(faults=denying("cloudwatch:GetMetricData")) as world:
        done = inside(world.environment, "doctor", "--watch", "errors")
        assert done.code == 5
        assert "what is watched is refused before anything is sent" in done.stdout
        assert "cloudwatch:GetMetricData" in str(policy_of(done))
        done = inside(world.environment, "doctor", "--watch", "error")
        assert (done.code, "there is no 'error'" in done.stderr) == (2, True)


def test_alarms_are_looked_at(inside: Inside) -> None:
    with simulated() as world:
        assert inside(world.environment, "doctor", "--alarm", "lag").code == 5
        world.ask(lambda: world.simulator.set_alarm("lag", "OK"))
        assert inside(world.environment, "doctor", "--alarm", "lag").code == 0
        world.ask(lambda: world.simulator.set_alarm("lag", "ALARM", reason="far behind"))
        done = inside(world.environment, "doctor", "--alarm", "lag")
    assert done.code == 1
    assert found(done, "alarms")["detail"] == "lag rings: far behind"


@pytest.mark.parametrize(
    ("faults", "words"),
    [(Faults(clock_ahead_s=3600), "60 min behind"), (Faults(clock_behind_s=3600), "60 min ahead of")],
)
def test_a_clock_that_is_wrong(faults: Faults, words: str, inside: Inside) -> None:
    with simulated(faults=faults) as world:
        done = inside(world.environment, "doctor")
    assert done.code == 5
    clock = found(done, "clock")
    assert clock["verdict"] == "failed"
    assert words in clock["detail"]
    assert "set the clock" in clock["advice"]
    assert found(done, "credentials")["verdict"] == "failed"
    assert "SignatureDoesNotMatch" in found(done, "credentials")["detail"]
    assert LIST not in verdicts(done)  # it would be refused likewise, and say nothing of permissions


def test_a_clock_that_is_a_little_wrong(inside: Inside) -> None:
    with simulated(faults=Faults(clock_ahead_s=100)) as world:
        done = inside(world.environment, "doctor", "--deadline", "2h")
    assert (done.code, found(done, "clock")["verdict"]) == (1, "warning")
    assert "--deadline, --window" in found(done, "clock")["detail"]


def test_a_shard_whose_quota_others_use_up(inside: Inside) -> None:
    faults = {(OTHER, "us-east-1"): Faults(other_caller_share=0.95)}
    with simulated(shard_faults=faults) as world:
        done = inside(world.environment, "doctor", *FLEET)
    assert done.code == 1
    assert set(verdicts(done, f"{ACCOUNT}-us-east-1").values()) == {"ok"}
    quota = found(done, "quota", f"{OTHER}-us-east-1")
    assert quota["verdict"] == "warning"
    assert (
        "of 15 requests/s, 14.2 were used in the last hour (UpdateFunctionConfiguration, ListFunctions)"
        in quota["detail"]
    )
    assert "use --rate 0.6, or --rate auto; or see who calls" in quota["advice"]


def test_a_quota_of_which_nobody_may_tell(inside: Inside) -> None:
    with simulated(faults=denying("cloudwatch:ListMetrics", "servicequotas:GetServiceQuota")) as world:
        done = inside(world.environment, "doctor")
    assert done.code == 1
    assert found(done, "cloudwatch:ListMetrics")["verdict"] == "warning"
    assert "--rate 12 may be too fast beside others" in found(done, "cloudwatch:ListMetrics")["detail"]
    assert "15 requests/s are taken for granted" in found(done, "servicequotas:GetServiceQuota")["detail"]
    assert policy_of(done)["Statement"][0]["Action"] == ["cloudwatch:ListMetrics", "servicequotas:GetServiceQuota"]


@pytest.mark.parametrize("flags", [(), ("--max-failed-shards", "0")])
def test_a_fleet_with_a_shard_that_cannot_be_reached(flags: tuple[str, ...], inside: Inside) -> None:
    with simulated(faults=Faults(denials=(Denial(action="sts:AssumeRole", resources=(ROLE,)),))) as world:
        done = inside(world.environment, "doctor", *FLEET, *flags)
    assert done.code == (5 if flags else 1), done.stderr
    check = found(done, "sts:AssumeRole", f"{OTHER}-us-east-1")
    assert check["verdict"] == "failed"
    assert f"the trust policy of {ROLE} must admit these credentials" in check["detail"]
    assert "--exclude-account" in check["advice"]
    assert set(verdicts(done, f"{ACCOUNT}-us-east-1").values()) == {"ok"}
    assert {"Effect": "Allow", "Action": ["sts:AssumeRole"], "Resource": ROLE} in policy_of(done)["Statement"]


def test_a_fleet_that_breaks_in_one_account(inside: Inside) -> None:
    with simulated(faults=Faults(broken_accounts=frozenset({OTHER}))) as world:
        done = inside(world.environment, "doctor", *FLEET, *FAST)
    assert found(done, LIST, f"{OTHER}-us-east-1")["verdict"] == "failed"
    assert GET not in verdicts(done, f"{OTHER}-us-east-1")
    assert found(done, LIST, f"{ACCOUNT}-us-east-1")["verdict"] == "ok"


def test_credentials_of_another_account_or_of_nobody(inside: Inside) -> None:
    with simulated() as world:
        done = inside(world.environment, "doctor", "--expect-account", OTHER)
        assert done.code == 5
        assert f"and not of {OTHER}, as --expect-account says" in found(done, "credentials")["detail"]
        nobody = {name: value for name, value in world.environment.items() if "ACCESS_KEY" not in name}
        done = inside(nobody, "doctor")
        assert (done.code, found(done, "credentials")["verdict"]) == (5, "failed")
        expired = inside(world.environment, "doctor", "--region", "nowhere-1")
        assert expired.code == 2
    with simulated(faults=Faults(expires_after_s=0.0)) as world:
        done = inside(world.environment, "doctor")
        assert (done.code, found(done, "credentials")["verdict"]) == (5, "failed")
        assert "ExpiredToken" in found(done, "credentials")["detail"]
        assert found(done, "clock")["verdict"] == "ok"


def test_what_is_not_encrypted_and_what_is_past_a_proxy(inside: Inside) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        closed = listening.getsockname()[1]
    with simulated() as world:
        proxy = world.environment["AWS_ENDPOINT_URL"].replace("http://", "http://user:secret@")
        elsewhere = world.environment | {
            "AWS_ENDPOINT_URL": "http://lambda.invalid",
            "AWS_ENDPOINT_URL_LAMBDA": "http://lambda.invalid",
            "HTTP_PROXY": proxy,
        }
        done = inside(elsewhere, "doctor")
        assert found(done, "TLS and proxy")["verdict"] == "warning"
        assert "http://lambda.invalid past the proxy http://...@127.0.0.1" in found(done, "TLS and proxy")["detail"]
        assert "secret" not in done.stdout + done.stderr
        done = inside(
            world.environment | {"HTTPS_PROXY": f"http://127.0.0.1:{closed}"},
            "doctor",
            "--endpoint-url",
            "https://lambda.invalid",
            *FAST,
        )
    assert found(done, "TLS and proxy")["verdict"] == "failed"
    assert f"http://127.0.0.1:{closed}" in found(done, "TLS and proxy")["detail"]
    assert "HTTPS_PROXY" in found(done, "TLS and proxy")["advice"]


def test_a_folder_that_cannot_be_written(inside: Inside, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with simulated() as world:
        done = inside(world.environment, "doctor", "--runs-dir", "file/runs")
        assert done.code == 5
        assert found(done, "store")["verdict"] == "failed"
        assert "--runs-dir" in found(done, "store")["advice"]
        (tmp_path / "runs").mkdir()
        assert inside(world.environment, "doctor", "--runs-dir", "runs").code == 0
    assert list((tmp_path / "runs").iterdir()) == []


# Runs in S3


def in_s3(world: Simulated, s3: S3Server, url: str | None = None) -> dict[str, str]:
    lambdas = world.environment
    mine = s3.environment(url) | {name: lambdas[name] for name in lambdas if name.startswith("AWS_A")}
    return lambdas | mine | {"AWS_REGION": lambdas["AWS_REGION"]}


def test_a_bucket_is_written_read_and_locked(inside: Inside, s3: S3Server) -> None:
    with simulated() as world:
        for _ in range(2):
            done = inside(in_s3(world, s3), "doctor", "--runs-dir", f"s3://{BUCKET}/well/runs")
            assert done.code == 0, done.stdout
    assert {f"s3:{name}" for name in ("PutObject", "GetObject", "ListBucket", "DeleteObject")} | {"lock"} < set(
        verdicts(done)
    )
    left = s3.bodies("well/")
    assert sorted(name.rpartition("/")[2] for name in left if ".locks" not in name) == [".conditional-writes"]
    [lock] = (json.loads(body) for name, body in left.items() if ".locks" in name)
    assert lock["state"] == "released"


@pytest.mark.parametrize(
    ("method", "action", "resource"),
    [
        ("PUT", "s3:PutObject", f"arn:aws:s3:::{BUCKET}/denied/runs/*"),
        ("GET", "s3:GetObject", f"arn:aws:s3:::{BUCKET}/denied/runs/*"),
        ("LIST", "s3:ListBucket", f"arn:aws:s3:::{BUCKET}"),
        ("POST", "s3:DeleteObject", f"arn:aws:s3:::{BUCKET}/denied/runs/*"),
    ],
)
def test_a_role_that_lacks_something_of_s3(
    method: str, action: str, resource: str, inside: Inside, s3: S3Server
) -> None:
    with simulated() as world, s3_proxy(s3.endpoint_url) as proxy:
        denied = {"GET": "/denied/", "LIST": "list-type=2"}.get(method, "")
        proxy.choose = every(Fault.DENY, "GET" if method == "LIST" else method, holding=denied)
        done = inside(in_s3(world, s3, proxy.url), "doctor", "--runs-dir", f"s3://{BUCKET}/denied/runs")
        assert proxy.done[Fault.DENY]
    is_needed = action != "s3:DeleteObject"
    assert done.code == (5 if is_needed else 1), done.stdout
    check = found(done, action)
    assert (check["verdict"], check["lacks"]) == ("failed" if is_needed else "warning", action)
    assert f"allow {action} on {resource}" in check["advice"]
    assert {"Effect": "Allow", "Action": [action], "Resource": resource} in policy_of(done)["Statement"]
    assert verdicts(done)[LIST] == "ok"


def test_a_store_that_ignores_conditions(inside: Inside, s3: S3Server) -> None:
    with simulated() as world, s3_proxy(s3.endpoint_url) as proxy:
        proxy.choose = every(Fault.UNCONDITIONAL, "PUT")
        done = inside(in_s3(world, s3, proxy.url), "doctor", "--runs-dir", f"s3://{BUCKET}/lax")
    assert done.code == 5
    assert "so no lock there would hold" in found(done, "store")["detail"]


def test_a_bucket_that_is_not_there(inside: Inside, s3: S3Server) -> None:
    with simulated() as world:
        done = inside(in_s3(world, s3), "doctor", "--runs-dir", "s3://no-such-bucket/x")
    assert done.code == 5
    assert "there is no bucket" in found(done, "store")["detail"]
    assert LIST in verdicts(done)


# Forms


def test_forms_of_output(inside: Inside) -> None:
    with simulated(faults=denying(GET)) as world:
        checks = json.loads(inside(world.environment, "doctor", "--output", "json", "--quiet").stdout)
        assert {check["verdict"] for check in checks} == {"ok", "warning"}
        rows = list(csv.DictReader(io.StringIO(inside(world.environment, "doctor", "--output", "csv").stdout)))
        assert [row["check"] for row in rows] == [check["what"] for check in checks]
        table = inside(world.environment, "doctor", "--output", "table", *FLEET).stdout.splitlines()
    assert table[0].split() == ["check", "shard", "verdict", "detail"]
    [row] = (line for line in table if line.split()[:2] == [GET, f"{ACCOUNT}-us-east-1"])
    assert f". To do: allow {GET} on *" in row
    assert sum(f"{ACCOUNT}-us-east-1" in line for line in table) == 4


def test_a_table_of_many_shards_shows_what_is_not_well(inside: Inside) -> None:
    accounts = ",".join(str(number) * 12 for number in range(1, 8))
    faults = {(OTHER, "us-east-1"): denying(GET)}
    with simulated(shard_faults=faults) as world:
        flags = ("--accounts", accounts, "--role-name", "x", "--regions", "us-east-1", "--output", "table")
        done = inside(world.environment, "doctor", *flags)
    lines = [line for line in done.stdout.splitlines() if "-us-east-1" in line]
    assert len(lines) == 1
    assert lines[0].startswith(f"{GET}  {OTHER}-us-east-1")
    assert "(took 21 requests" in done.stderr


# --rate auto


@pytest.mark.parametrize(
    ("faults", "rate", "words"),
    [
        (Faults(), 12, "--rate auto: of 15 requests/s, 0.0 were used in the last hour"),
        (Faults(other_caller_share=0.4), 7.2, "6.0 were used in the last hour"),
        (denying("cloudwatch:ListMetrics"), 12, "--rate auto: warning: what others use is not known"),
    ],
)
def test_a_run_goes_at_the_rate_that_leaves_room(
    faults: Faults, rate: float, words: str, inside: Inside, tmp_path: Path
) -> None:
    with Simulated(mappings=5, speed=20.0, settle_scale=0.0, faults=faults) as world:
        done = inside(world.environment, "pause", "--all", "--yes", "--rate", "auto")
        assert done.code == 0, done.stderr
        assert words in done.stderr
        assert f" at {rate:g} requests/s" in done.stderr
        record = Cli(tmp_path).last_run().record
        assert record["rollout"]["max_per_second"] == rate
        report = world.report()
        assert sum(record["requests"][kind] for kind in ("list", "get", "update")) == sum(
            report.count(kind) for kind in (Kind.LIST, Kind.GET, Kind.UPDATE)
        )
        looked = inside(world.environment, "verify", "last", "--rate", "auto")
        assert (looked.code, words in looked.stderr) == (0, True)


def test_each_shard_goes_at_its_own(inside: Inside, tmp_path: Path) -> None:
    faults = {(OTHER, "us-east-1"): Faults(other_caller_share=0.6)}
    with Simulated(mappings=3, speed=20.0, shard_faults=faults) as world:
        done = inside(world.environment, "pause", "--all", "--yes", "--rate", "auto", *FLEET)
    assert done.code == 0, done.stderr
    assert " at 4.8 to 12 requests/s in each shard" in done.stderr
    fleet = json.loads((Cli(tmp_path).last_run().path / "fleet.json").read_bytes())
    rates = {entry["shard"]["account_id"]: entry["shard"]["max_per_second"] for entry in fleet["shards"]}
    assert rates == {ACCOUNT: 12, OTHER: 4.8}


def test_a_rate_is_a_number_or_auto(inside: Inside) -> None:
    with simulated() as world:
        for text in ("automatic", "0", "-1"):
            assert inside(world.environment, "list", "--rate", text).code == 2
        assert world.requests() == 0
        assert inside(world.environment, "list", "--uuid", NO_SUCH_UUID, "--rate", "auto").code == 1
