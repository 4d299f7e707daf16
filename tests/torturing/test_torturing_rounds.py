"""Rounds come from their seed alone, and there are some of each kind; the table has all rows of all pieces."""

from pathlib import Path

from torturing.disturbing import KILLS, What, draw_disturbance
from torturing.judge import Finding, Kind
from torturing.rounds import Chain, draw_round
from torturing.rows import Operation, Row, append_row, mended, read_rows, table_of

ROUNDS = [draw_round(1, number) for number in range(180)]


def test_a_round_is_drawn_again_from_its_seed() -> None:
    assert draw_round(1, 17) == ROUNDS[17]
    assert draw_round(2, 17) != ROUNDS[17]
    assert ROUNDS[17].dice("1/0").random() == draw_round(1, 17).dice("1/0").random()


def test_there_are_some_of_each_kind_and_a_third_of_each_place_lags() -> None:
    assert sum(each.place.is_dask for each in ROUNDS) == 1
    assert {each.chain for each in ROUNDS} == set(Chain)
    for place in {each.place.name for each in ROUNDS if not each.place.is_dask}:
        lags = [each.server.faults.list_lag_s > 0 for each in ROUNDS if each.place.name == place]
        assert abs(sum(lags) / len(lags) - 1 / 3) < 0.15
    assert max(each.server.faults.list_lag_s for each in ROUNDS) <= 30


def test_what_is_done_to_processes() -> None:
    drawn = [draw_disturbance(each.dice("1/0"), kill_share=0.5, left=10, is_new=True, workers=True) for each in ROUNDS]
    assert {each.what for each in drawn} == set(What)
    assert 0.35 < sum(each.what in KILLS for each in drawn) / len(drawn) < 0.65
    assert {each.accepted for each in drawn} <= set(range(11))


def row(number: int, *findings: Finding) -> Row:
    operation = Operation(command="pause", processes=2, kills=1, continues=1, findings=list(findings))
    return Row(
        seed=1, number=number, place="home", chain="", trouble="none", lag_s=0.0, seconds=4.0, operations=[operation]
    )


def test_rows_of_several_pieces_make_one_table(tmp_path: Path) -> None:
    path = tmp_path / "torture.jsonl"
    rows = [row(0), row(1, Finding(Kind.TWICE, "m"), Finding(Kind.LOST, "n"), Finding(Kind.HANG, ""))]
    for each in rows:
        append_row(path, each)
    assert read_rows(path) == rows
    (line,) = [line for line in table_of(rows).splitlines() if line.startswith("| home, `pause`")]
    # operations, SIGKILLs, of continue, continues, workers, signals, lost or doubled, accepted twice, outside, others
    assert [cell.strip() for cell in line.split("|")[2:-1]] == ["2", "2", "0", "2", "0", "0", "1", "1", "0", "1"]


def test_a_row_that_a_kill_tore_off_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "torture.jsonl"
    append_row(path, row(0))
    path.write_bytes(path.read_bytes() + b'{"seed":1,"num')
    assert read_rows(path) == [row(0)]
    append_row(path, row(1))
    assert read_rows(path) == [row(0), row(1)]


def test_a_round_that_was_bad_and_played_again_is_named(tmp_path: Path) -> None:
    path = tmp_path / "torture.jsonl"
    bad = row(0, Finding(Kind.TWICE, "m"))
    for each in (bad, row(1), row(0)):
        append_row(path, each)
    assert read_rows(path) == [row(0), row(1)]
    assert mended(path) == [bad]
    assert "round 0 (home, : accepted twice)" in table_of(read_rows(path), mended(path))
    assert "played again" not in table_of(read_rows(path))
