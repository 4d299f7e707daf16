"""The whole probe against the simulator: all is asked, all is recorded, all is put back."""

import itertools
import subprocess
from pathlib import Path
from typing import Any

import pytest
from probing.main import parser
from probing.steps import IN_TRANSITION, STEPS
from probing_world import World, lines_of, one_of_each, world

from bulk_esm.errors import UsageError
from bulk_esm.simulator import Faults, Kind

AGREED = "--yes-this-costs-requests"
ROOT = Path(__file__).parent.parent.parent


def of(lines: list[dict[str, Any]], step: str, operation: str = "Update") -> list[dict[str, Any]]:
    return [one for one in lines[1:] if one["step"] == step and one.get("operation", "").startswith(operation)]


def updates(there: World) -> int:
    return there.simulator.report().count(Kind.UPDATE)


@pytest.mark.parametrize("state", ["Enabled", "Disabled"])
async def test_everything_is_asked_and_put_back(tmp_path: Path, state: str) -> None:
    output = tmp_path / "recording.jsonl"
    async with world(one_of_each(state=state)) as there:
        before = there.configurations()
        assert await there.probe(output, list(before), AGREED, "--may-enable") == 0
        assert there.configurations() == before
        report = there.simulator.report()
    lines = lines_of(output)
    assert {step.name for step in STEPS} <= {one["step"] for one in lines[1:]}
    assert {one["status"] for one in of(lines, "flip")} == {202}
    assert {one["status"] for one in of(lines, f"flip{IN_TRANSITION}")} <= {400, 202}
    assert {one["status"] for one in of(lines, "refused-batch-size-0")} == {400}
    assert of(lines, "refused-batch-size-0")[0]["headers"]["x-amzn-errortype"].startswith("ValidationException")
    assert report.count() == len([one for one in lines[1:] if "operation" in one])
    assert len(lines[0]["mappings"]) == 8


async def test_five_requests_a_second_at_most(tmp_path: Path) -> None:
    output = tmp_path / "recording.jsonl"
    async with world() as there:
        await there.probe(output, list(there.configurations()), AGREED)
    sent = sorted(one["sent_at"] for one in lines_of(output)[1:] if "sent_at" in one)
    assert min(later - earlier for earlier, later in itertools.pairwise(sent)) > 0.19


async def test_what_is_on_the_wire_is_recorded_with_its_nulls(tmp_path: Path) -> None:
    fleet = one_of_each()
    fleet.mappings[0]["FilterCriteria"] = None
    output = tmp_path / "recording.jsonl"
    async with world(fleet) as there:
        await there.probe(output, [fleet.mappings[0]["UUID"]], AGREED)
    [first, *_] = of(lines_of(output), "get", "Get")
    assert "FilterCriteria" in first["body"]
    assert first["body"]["FilterCriteria"] is None


async def test_what_is_disabled_is_never_enabled_unless_that_was_said(tmp_path: Path) -> None:
    output = tmp_path / "recording.jsonl"
    async with world(one_of_each(state="Disabled")) as there:
        before = there.configurations()
        assert await there.probe(output, list(before), AGREED) == 0
        assert there.configurations() == before
    lines = lines_of(output)
    assert not [one for one in lines[1:] if one.get("parameters", {}).get("Enabled")]
    assert {one["step"] for one in lines[1:] if one.get("skipped")} >= {"flip", "flip-with-configuration"}
    assert any("--may-enable" in line for line in there.said)
    assert of(lines, "configuration")


async def test_without_consent_nothing_is_changed_and_what_would_be_sent_is_said(tmp_path: Path) -> None:
    output = tmp_path / "recording.jsonl"
    async with world() as there:
        uuids = list(there.configurations())
        assert await there.probe(output, uuids) == 2
        assert updates(there) == 0
        assert there.simulator.report().count() == len(uuids)
    assert not output.exists()
    said = "\n".join(there.said)
    assert all(uuid in said for uuid in uuids)
    assert said.count('configuration: Update {"BatchSize": ') == 8
    assert 'flip: Update {"Enabled": false}' in said
    assert "CHANGES THE MAPPINGS" in said


async def test_what_was_announced_is_what_is_sent(tmp_path: Path) -> None:
    output = tmp_path / "recording.jsonl"
    async with world(settle_scale=0.2) as there:
        uuid = next(iter(there.configurations()))
        await there.probe(output, [uuid])
        announced = [line.split(":", 1)[0].strip() for line in there.said if ": Update {" in line]
        await there.probe(output, [uuid], AGREED)
    sent = [one["step"].split(":")[0] for one in lines_of(output)[1:] if one.get("operation", "").startswith("Update")]
    assert sent == announced


@pytest.mark.parametrize("seed", range(4))
async def test_all_is_put_back_where_the_server_fails_now_and_then(tmp_path: Path, seed: int) -> None:
    output = tmp_path / "recording.jsonl"
    async with world(one_of_each(seed=seed), faults=Faults(error_share=0.25, cut_after_share=0.1)) as there:
        before = there.configurations()
        code = await there.probe(output, list(before), AGREED)
        assert there.configurations() == before
    assert code == 1
    assert any("stopped: " in line for line in there.said)
    assert not any("STILL TO DO" in line for line in there.said)
    assert {one["status"] for one in lines_of(output)[1:] if "status" in one} >= {0, 500}


async def test_what_cannot_be_put_back_is_said(tmp_path: Path) -> None:
    output = tmp_path / "recording.jsonl"
    async with world(faults=Faults(expires_after_s=9.0)) as there:
        [uuid, *_] = there.configurations()
        before = there.simulator.get(uuid)
        assert await there.probe(output, [uuid], AGREED) == 1
    assert before["State"] == "Enabled"
    [to_do] = [line for line in there.said if "STILL TO DO" in line]
    assert "aws lambda update-event-source-mapping --region us-east-1" in to_do
    assert f'"BatchSize": {before["BatchSize"]}' in to_do
    assert output.exists()


async def test_a_recording_is_not_written_over(tmp_path: Path) -> None:
    output = tmp_path / "recording.jsonl"
    output.write_text("precious")
    async with world() as there:
        with pytest.raises(UsageError, match="exists"):
            await there.probe(output, list(there.configurations()), AGREED)
        assert there.simulator.report().count() == 0
    assert output.read_text() == "precious"


def test_the_script_is_sound_and_asks_for_what_it_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert subprocess.run(["sh", "-n", ROOT / "scripts" / "probe"], check=False).returncode == 0
    with pytest.raises(SystemExit):
        parser().parse_args(["--output", "x", "a-uuid"])
    assert "--region" in capsys.readouterr().err
