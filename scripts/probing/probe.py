"""Carries the steps out on one mapping, and puts the mapping back."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Final

import anyio
import msgspec

from bulk_esm.aws.control_plane import ControlPlane
from bulk_esm.aws.retrying import Treatment, treatment_of
from bulk_esm.clock import Clock
from bulk_esm.errors import BulkEsmError, ServiceError
from bulk_esm.model.mapping import EventSourceMapping
from probing.recorder import Recorder
from probing.steps import BACK, IN_TRANSITION, RESTORE, Request, Step, chosen_for, differences, way_back

LOOK_EVERY_S: Final = 1.0
PATIENCE_S: Final = 300.0  # for coming to rest; Kafka takes up to 90 s (F§3.3), DocumentDB minutes
LIST_PATIENCE: Final = 10  # looks at List, once Get shows the mapping at rest
RESTORE_ATTEMPTS: Final = 5
# Answers about this mapping or this request, after which the next step is asked all the same.
ANSWERS: Final = frozenset({Treatment.FINAL, Treatment.IN_USE})


class RestlessError(BulkEsmError):
    """A mapping did not come to rest in time."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one mapping.

    Attributes:
        uuid: the mapping.
        stopped_by: what ended its probe early, in words; empty if nothing did.
        left: what is not as it was, and what to do about it; empty if everything was put back.
    """

    uuid: str
    stopped_by: str = ""
    left: tuple[str, ...] = ()


class Probe:
    """The probe of one mapping.

    Args:
        control_plane: where it is.
        recorder: takes note of every request.
        clock: the time.
        original: the mapping at rest, before anything was sent.
        say: tells the user.
    """

    def __init__(
        self,
        control_plane: ControlPlane,
        recorder: Recorder,
        clock: Clock,
        original: EventSourceMapping,
        say: Callable[[str], None],
    ) -> None:
        self._control_plane = control_plane
        self._recorder = recorder
        self._clock = clock
        self._original = self._seen = original
        self._say = say
        self._touched: Request = {}

    async def run(self, *, may_enable: bool) -> Outcome:
        """Take all steps, and put everything back whatever happens, cancellation included.

        Args:
            may_enable: whether a Disabled mapping may be enabled for a moment.
        """
        stopped_by = ""
        left: tuple[str, ...] = ()
        try:
            await self._read()
            for chosen in chosen_for(self._original, may_enable=may_enable):
                if chosen.why_not:
                    self._recorder.skipped(self._original.uuid, chosen.step.name, chosen.why_not)
                    self._say(f"  {chosen.step.name}: skipped, {chosen.why_not}")
                else:
                    await self._take(chosen.step)
        except BulkEsmError as error:
            stopped_by = str(error)
        finally:
            with anyio.CancelScope(shield=True):
                left = await self._restored()
            for line in left:
                self._say(f"  STILL TO DO: {line}")
            if not left:
                self._say("  put back, and looked at: as it was")
        return Outcome(uuid=self._original.uuid, stopped_by=stopped_by, left=left)

    async def _read(self) -> None:
        """List narrowed in each way that there is; Get has been seen already."""
        function = self._original.function_arn or ""
        for step, narrowed in (
            ("list-function-arn", {"function_name": function}),
            ("list-function-name", {"function_name": self._original.function.name}),
            ("list-source", {"event_source_arn": self._original.event_source_arn}),
        ):
            if all(narrowed.values()):
                self._recorder.about(self._original.uuid, step)
                await self._answered(self._listed(**narrowed))

    async def _take(self, step: Step) -> None:
        self._say(f"  {step.name}: {step.question}")
        before = self._seen
        request = step.request(before)
        if request is None:
            return
        if await self._sent(step.name, request, is_interrupted=step.is_interrupted):
            for inner in step.within:
                await self._take(inner)
        back = way_back(request, before, self._seen)
        if back:
            await self._sent(f"{step.name}{BACK}", back, is_interrupted=step.is_interrupted)

    async def _sent(self, name: str, request: Request, *, is_interrupted: bool = False) -> bool:
        """Send one update and look until it has settled; whether it was accepted."""
        self._touched.update(request)
        self._recorder.about(self._original.uuid, name)
        if not await self._accepted(request):
            await self._get(name)
            return False
        if is_interrupted:
            self._recorder.about(self._original.uuid, f"{name}{IN_TRANSITION}")
            await self._accepted({})
        await self._watch(name)
        return True

    async def _accepted(self, request: Request) -> bool:
        return await self._answered(self._control_plane.update(self._original.uuid, request))

    async def _answered(self, question: Awaitable[object]) -> bool:
        """Whether it was no refusal, which is an answer like any other; what is no answer ends the probe."""
        try:
            await question
        except ServiceError as error:
            if treatment_of(error) not in ANSWERS:
                raise
            self._say(f"    refused: {error}")
            return False
        return True

    async def _watch(self, name: str) -> None:
        """Look with Get until the mapping is at rest, with List beside it until that shows the same."""
        deadline = self._clock.monotonic() + PATIENCE_S
        looks_left = LIST_PATIENCE
        while True:
            seen = await self._get(name)
            listed = await self._listed(function_name=self._original.function_arn)
            if seen.at_rest:
                looks_left -= 1
                if looks_left == 0 or (listed is not None and _looks(listed) == _looks(seen)):
                    return
            elif self._clock.monotonic() >= deadline:
                raise RestlessError(f"{name}: still {seen.state} after {PATIENCE_S:.0f} s")
            await self._clock.sleep(LOOK_EVERY_S)

    async def _get(self, name: str) -> EventSourceMapping:
        self._recorder.about(self._original.uuid, name)
        self._seen = await self._control_plane.get(self._original.uuid)
        return self._seen

    async def _listed(self, **narrowed: str | None) -> EventSourceMapping | None:
        found = None
        async for page in self._control_plane.list(**narrowed):
            found = next((mapping for mapping in page if mapping.uuid == self._original.uuid), found)
        return found

    async def _restored(self) -> tuple[str, ...]:
        """Put back what is not as it was, and say what could not be."""
        trouble = ""
        for _ in range(RESTORE_ATTEMPTS):
            try:
                seen = await self._at_rest()
                back = way_back(self._touched, self._original, seen)
                if not back:
                    return tuple(differences(self._original, seen))
                await self._control_plane.update(self._original.uuid, back)
            except BulkEsmError as error:
                trouble = str(error)
                await self._clock.sleep(LOOK_EVERY_S)
        by_hand = how_to_put_back(self._original, self._control_plane.region)
        return (f"{by_hand}  # {trouble or 'it is changed again and again'}",)

    async def _at_rest(self) -> EventSourceMapping:
        deadline = self._clock.monotonic() + PATIENCE_S
        while not (seen := await self._get(RESTORE)).at_rest:
            if self._clock.monotonic() >= deadline:
                raise RestlessError(f"still {seen.state} after {PATIENCE_S:.0f} s")
            await self._clock.sleep(LOOK_EVERY_S)
        return seen


def _looks(mapping: EventSourceMapping) -> tuple[object, ...]:
    """What tells an old picture from a new one, without what List hides (F§2)."""
    return mapping.state, mapping.last_modified, mapping.configuration.get("BatchSize")


def how_to_put_back(original: EventSourceMapping, region: str) -> str:
    """The AWS CLI's command that makes the mapping what it was before the probe.

    Args:
        original: the mapping as it was.
        region: where it is.
    """
    names = ("BatchSize", "MaximumBatchingWindowInSeconds", "MaximumRecordAgeInSeconds")
    values = {name: original.configuration[name] for name in names if original.configuration.get(name)}
    request = json.dumps({"UUID": original.uuid, "Enabled": original.enabled, **values})
    return f"aws lambda update-event-source-mapping --region {region} --cli-input-json '{request}'"
