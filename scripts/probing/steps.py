"""What is asked of a mapping: a table of steps, each named after the question that it answers. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from bulk_esm.model.mapping import EventSourceMapping, SourceType

Request = dict[str, Any]

SQS: Final = frozenset({SourceType.SQS, SourceType.SQS_FIFO})
STREAMS: Final = frozenset({SourceType.KINESIS, SourceType.DYNAMODB})
EVERY: Final = frozenset(SourceType)

IN_TRANSITION: Final = ":in-transition"  # of a step's name: the update without parameters that came right after its 202
BACK: Final = ":back"  # of a step's name: its way back
RESTORE: Final = "restore"  # what puts everything back in the end

# What a mapping shows that moves of its own accord, or with every update.
VOLATILE: Final = frozenset({"LastModified", "StateTransitionReason", "LastProcessingResult", "FilterCriteriaError"})
# What stands for absence, and is sent where there was nothing.
_DEFAULTS: Final = {"MaximumBatchingWindowInSeconds": 0, "MaximumRecordAgeInSeconds": -1}


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One update, its way back, and what is asked in between.

    Attributes:
        name: how the recording calls it.
        question: what its answer tells.
        request: the update's parameters for a mapping; None where they make no sense for it.
        sources: the source types that it is asked of.
        is_interrupted: whether an update without parameters follows right after the 202.
        within: steps between it and its way back.
    """

    name: str
    question: str
    request: Callable[[EventSourceMapping], Request | None]
    sources: frozenset[SourceType] = EVERY
    is_interrupted: bool = False
    within: tuple[Step, ...] = ()


def _other_batch_size(mapping: EventSourceMapping) -> Request | None:
    """One less is legal wherever more than 1 is, and 2 is legal with every source (F§6.1)."""
    size = mapping.configuration.get("BatchSize")
    return {"BatchSize": size - 1 if size > 1 else 2} if size else None


def _flip(mapping: EventSourceMapping) -> Request | None:
    return {"Enabled": not mapping.enabled}


def _flip_with_configuration(mapping: EventSourceMapping) -> Request | None:
    configuration = _other_batch_size(mapping)
    return {"Enabled": not mapping.enabled, **configuration} if configuration else None


def _more_than_ten_without_window(mapping: EventSourceMapping) -> Request:
    window = {} if mapping.source_type is SourceType.SQS_FIFO else {"MaximumBatchingWindowInSeconds": 0}
    return {"BatchSize": 11, **window}


def _empty_destination(mapping: EventSourceMapping) -> Request | None:
    destination = (mapping.configuration.get("DestinationConfig") or {}).get("OnFailure") or {}
    return None if destination.get("Destination") else {"DestinationConfig": {}}


NO_OP: Final = Step(
    name="no-op",
    question="An update without parameters: which state does the 202 show, and does LastModified move?",
    request=lambda _: {},
)
CONFIGURATION: Final = Step(
    name="configuration",
    question="A configuration update: does the 202 show old or new values, which states follow, and for how long?",
    request=_other_batch_size,
)
FLIP: Final = Step(
    name="flip",
    question="Enabled to the other value: which states follow, for how long, and how far does List lag behind Get?",
    request=_flip,
    is_interrupted=True,
    within=(
        msgspec.structs.replace(NO_OP, name="no-op-in-the-other-state"),
        msgspec.structs.replace(CONFIGURATION, name="configuration-in-the-other-state"),
    ),
)

STEPS: Final = (
    NO_OP,
    Step(
        name="enabled-as-it-is",
        question="Enabled=X when it is X already: is it accepted, and does anything move?",
        request=lambda mapping: {"Enabled": mapping.enabled},
    ),
    CONFIGURATION,
    Step(
        name="function-name-unchanged",
        question="FunctionName as it is: is it accepted, or checked against the queue's visibility timeout?",
        request=lambda mapping: {"FunctionName": mapping.function_arn},
        sources=SQS,
    ),
    Step(
        name="refused-batch-size-0",
        question="A value below the model's minimum: which error, in which words?",
        request=lambda _: {"BatchSize": 0},
        sources=SQS,
    ),
    Step(
        name="refused-batch-size-11",
        question="More than 10 without a window: which error, in which words?",
        request=_more_than_ten_without_window,
        sources=SQS,
    ),
    Step(
        name="refused-record-age-30",
        question="A record age that the model allows and the service does not: which error, in which words?",
        request=lambda _: {"MaximumRecordAgeInSeconds": 30},
        sources=STREAMS,
    ),
    Step(
        name="destination-config-empty",
        question="DestinationConfig {} where none is set: is it accepted, and what is read back?",
        request=_empty_destination,
        sources=STREAMS,
    ),
    FLIP,
    Step(
        name="flip-with-configuration",
        question="Enabled and configuration in one call: are both applied, and through which states?",
        request=_flip_with_configuration,
    ),
)


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """A step for one mapping: it is skipped if `why_not` says why."""

    step: Step
    why_not: str = ""


def chosen_for(mapping: EventSourceMapping, *, may_enable: bool) -> Iterator[Chosen]:
    """The steps for one mapping at rest, in their order; those for other source types are left out.

    Args:
        mapping: the mapping as it is.
        may_enable: whether a Disabled mapping may be enabled for a moment.
    """
    for step in STEPS:
        if mapping.source_type not in step.sources:
            continue
        request = step.request(mapping)
        if request is None:
            yield Chosen(step=step, why_not="what it would send makes no sense for this mapping as it is")
        elif request.get("Enabled") and not mapping.enabled and not may_enable:
            yield Chosen(step=step, why_not="it would enable what is Disabled, and --may-enable was not given")
        else:
            yield Chosen(step=step)


def way_back(request: Request, original: EventSourceMapping, seen: EventSourceMapping) -> Request:
    """The update that undoes what a request did to a mapping, by how it was before the probe; empty if nothing is left.

    Args:
        request: the parameters that were sent.
        original: the mapping as it was before the probe.
        seen: the mapping as it is now, at rest.
    """
    was = {name: _value(name, original) for name in request}
    return {name: value for name, value in was.items() if value is not None and value != _value(name, seen)}


def _value(name: str, mapping: EventSourceMapping) -> Any:
    """A parameter, or a member, as a mapping has it: absent is as good as empty, and as its default."""
    if name == "Enabled":
        return mapping.enabled
    if name == "FunctionName":
        return mapping.function_arn
    found = mapping.configuration.get(name)
    return _DEFAULTS.get(name) if found in (None, {}, [], {"OnFailure": {}}) else found


def differences(original: EventSourceMapping, seen: EventSourceMapping) -> list[str]:
    """What differs from how the mapping was, in words; what moves of its own accord does not count."""
    before, now = original.configuration, seen.configuration
    return [
        f"{name} is {now.get(name)!r}, and was {before.get(name)!r}"
        for name in sorted({*before, *now} - VOLATILE)
        if _value(name, original) != _value(name, seen)
    ]
