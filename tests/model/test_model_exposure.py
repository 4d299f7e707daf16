"""Who counts as changed, and who as control: each on one side, whatever happened in whatever order."""

from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from bulk_esm.model.exposure import Exposure, drawn
from bulk_esm.model.mapping import SourceType
from bulk_esm.model.measures import MEASURES
from bulk_esm.model.plan import Action, PlanItem
from bulk_esm.model.result import Outcome, Result

STARTED_AT = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
WAVES = 3


class Mapping(msgspec.Struct, frozen=True):
    """A mapping of the plan, and what became of it."""

    number: int
    function: int
    wave: int
    outcome: Outcome
    after_s: float

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:us-east-1:123456789012:function:f{self.function}"

    @property
    def item(self) -> PlanItem:
        return PlanItem(
            uuid=f"uuid-{self.number}",
            function_arn=self.arn,
            event_source_arn=None,
            source_type=SourceType.KAFKA,
            state="Enabled",
            action=Action.UPDATE,
            request={"BatchSize": 5},
        )

    @property
    def ended_at(self) -> datetime:
        return STARTED_AT + timedelta(seconds=self.after_s)

    @property
    def result(self) -> Result:
        return Result(
            run_id="a-run",
            uuid=f"uuid-{self.number}",
            function_arn=self.arn,
            event_source_arn=None,
            source_type=SourceType.KAFKA,
            account_id="123456789012",
            region="us-east-1",
            wave=self.wave,
            outcome=self.outcome,
            state="Enabled",
            request={"BatchSize": 5},
            ended_at=self.ended_at.isoformat(),
        )


SENT = [Outcome.UPDATED, Outcome.FAILED, Outcome.TIMED_OUT, Outcome.CONFLICT]
MAPPINGS = st.lists(
    st.tuples(
        st.integers(0, 5), st.integers(1, WAVES), st.sampled_from([*SENT, Outcome.NOT_STARTED]), st.floats(0, 7200)
    ),
    max_size=20,
).map(lambda rows: [Mapping(number, *row) for number, row in enumerate(rows)])


@given(MAPPINGS, st.integers(0, WAVES))
def test_each_function_is_on_one_side(mappings: list[Mapping], wave: int) -> None:
    exposure = Exposure(MEASURES["errors"])
    for mapping in mappings:
        exposure.add(mapping.item, wave=mapping.wave)
    exposure.close()
    seen = [mapping for mapping in mappings if mapping.wave <= wave]
    for mapping in seen:
        exposure.end(mapping.result)
    sides = exposure.sides(wave)
    assert not sides.changed.keys() & set(sides.control)
    assert len(sides.changed) + len(sides.control) + sum(sides.left_out.values()) == len(exposure.standings)
    assert set(sides.control) == {mapping.arn for mapping in mappings} - {mapping.arn for mapping in seen}
    for arn, since in sides.changed.items():
        own = [mapping for mapping in seen if mapping.arn == arn]
        assert all(mapping.outcome in SENT for mapping in own)
        assert any(mapping.outcome is Outcome.UPDATED for mapping in own)
        # Whole minutes after the last of them, and no more than one is lost.
        late_s = since * 60 - max(mapping.ended_at.timestamp() for mapping in own)
        assert 0 <= late_s <= 60


@given(st.sets(st.text(max_size=5)), st.integers(0, 10))
def test_those_that_are_drawn_are_always_the_same(keys: set[str], most: int) -> None:
    found = drawn(keys, most)
    assert len(found) == min(most, len(keys))
    assert found == drawn(sorted(keys, reverse=True), most)
    assert set(found) <= keys
