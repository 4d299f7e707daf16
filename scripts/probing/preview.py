"""What the probe would send, for whoever has to agree to it. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator

from bulk_esm.model.mapping import EventSourceMapping
from probing.probe import LOOK_EVERY_S, PATIENCE_S
from probing.steps import BACK, IN_TRANSITION, Request, Step, chosen_for, way_back

WARNING = """\
THIS CHANGES THE MAPPINGS BELOW for some minutes each: BatchSize by one, and Enabled to the other value and back, so
that processing pauses. Name only mappings that may be changed. Filters, functions and sources are never touched,
nothing is deleted, and everything is put back and looked at again in the end."""


def preview(mapping: EventSourceMapping, *, may_enable: bool) -> Iterator[str]:
    """Lines that say what would be sent to one mapping, and how many requests that is.

    Args:
        mapping: the mapping as it is.
        may_enable: whether a Disabled mapping may be enabled for a moment.
    """
    yield f"{mapping.uuid}  {mapping.source_type}  {mapping.state}  {mapping.function_arn}"
    yield "  Get, and List narrowed to its function's ARN, to its function's name, and to its source"
    updates = 0
    for chosen in chosen_for(mapping, may_enable=may_enable):
        if chosen.why_not:
            yield f"  {chosen.step.name}: skipped, {chosen.why_not}"
            continue
        for name, request in _updates(chosen.step, mapping):
            updates += 1
            yield f"  {name}: Update {json.dumps(request)}"
    yield (
        f"  {updates} updates; after each that is accepted a Get and a List every {LOOK_EVERY_S:.0f} s until it is at "
        f"rest, {PATIENCE_S:.0f} s at most: about {updates * 4 + 5} requests or more, 5/s at most"
    )


def _updates(step: Step, mapping: EventSourceMapping) -> Iterator[tuple[str, Request]]:
    """The updates of a step, as if each were accepted but those that are sent to be refused."""
    request = step.request(mapping)
    if request is None:
        return
    after = _applied(mapping, request)
    yield step.name, request
    if step.is_interrupted:
        yield f"{step.name}{IN_TRANSITION}", {}
    for inner in step.within:
        yield from _updates(inner, after)
    back = way_back(request, mapping, after)
    if back:
        only_if = ", if it was accepted" if step.name.startswith("refused-") else ""
        yield f"{step.name}{BACK}{only_if}", back
    if back and step.is_interrupted:
        yield f"{step.name}{BACK}{IN_TRANSITION}", {}


def _applied(mapping: EventSourceMapping, request: Request) -> EventSourceMapping:
    values = {name: value for name, value in request.items() if name not in {"Enabled", "FunctionName"}}
    values.pop("DestinationConfig", None)  # sent only where it changes nothing
    if "Enabled" in request:
        values["State"] = "Enabled" if request["Enabled"] else "Disabled"
    return EventSourceMapping({**mapping.configuration, **values})
