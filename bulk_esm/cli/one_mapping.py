"""Shows one mapping of a plan or a run: before and after, member by member."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

import msgspec

from bulk_esm.cli.output import Results, Row, form_for, tail_of
from bulk_esm.cli.streams import say
from bulk_esm.model.differences import Difference
from bulk_esm.model.plan import PlanItem
from bulk_esm.model.result import Result
from bulk_esm.model.uuids import read_uuid, the_only_one

if TYPE_CHECKING:
    from bulk_esm.cli.options import OutputOptions
    from bulk_esm.store.run_files import RunFiles

_COLUMNS: Final = ("member", "before", "after")
_READ_AS: Final = {"Enabled": "State", "FunctionName": "FunctionArn"}  # what is set, as it is read


class OneMapping(msgspec.Struct, frozen=True, kw_only=True):
    """A mapping of a plan or a run.

    Attributes:
        item: its line of the plan; `before` is the whole configuration as read.
        result: what became of it; None where it has none.
    """

    item: PlanItem
    result: Result | None = None


def show_one(items: Iterable[PlanItem], uuid: str, output: OutputOptions, *, files: RunFiles | None = None) -> None:
    """Show one mapping.

    Args:
        items: of the plan.
        uuid: which, or the beginning of it.
        output: in which form.
        files: the run's, if the plan is a run's.

    Raises:
        UsageError: none has that UUID, or several begin so.
    """
    item = _the_one(items, uuid)
    results = files.results() if files is not None else ()
    result = next((one for one in results if one.uuid == item.uuid), None)
    form = form_for(output.output)
    if form in {"json", "jsonl"}:
        whole = Results(form, (), lambda _: ())
        whole.add(OneMapping(item=item, result=result))
        whole.finish()
        return
    for line in _heading(item, result, has_run=files is not None):
        say(line, quiet=output.quiet)
    members = Results(form, _COLUMNS, _row)
    members.add_all(_members(item))
    members.finish()


def _the_one(items: Iterable[PlanItem], uuid: str) -> PlanItem:
    found = {item.uuid: item for item in items}
    return found[the_only_one(read_uuid(uuid, "--uuid"), found, "--uuid")]


def _heading(item: PlanItem, result: Result | None, *, has_run: bool) -> Iterator[str]:
    yield f"{item.uuid}: {tail_of(item.function_arn)} reads {tail_of(item.event_source_arn)} ({item.source_type})"
    yield f"  planned: {'; '.join((item.action, *item.problems))}"
    if result is None:
        if has_run:
            yield "  it has no result: the run did not come so far, or was killed"
        return
    yield f"  became: {result.outcome}, {result.state or 'in no state'}, in wave {result.wave}"
    if result.error is not None:
        request = f" (request {result.error.request_id})" if result.error.request_id else ""
        yield f"  because: {result.error.code}: {result.error.message}{request}"
    if result.accepted_at is not None:
        settled = f", settled {result.settled_at}" if result.settled_at else ""
        calls = "1 update" if result.update_calls == 1 else f"{result.update_calls} updates"
        yield f"  accepted {result.accepted_at}{settled}, after {calls}"


def _members(item: PlanItem) -> Iterator[Difference]:
    """What changes, and then what stays, as `before` has it."""
    yield from item.diff
    changed = {_READ_AS.get(one.parameter, one.parameter) for one in item.diff}
    for path, value in _leaves("", item.before.configuration):
        if value is not None and not any(f"{path}.".startswith(f"{one}.") for one in changed):
            yield Difference(path, value, value)


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for name, member in value.items():
            yield from _leaves(f"{path}.{name}" if path else name, member)
    else:
        yield path, value


def _row(one: Difference) -> Row:
    after = "" if one.before == one.after else _text(one.after)
    return one.parameter, _text(one.before), after


def _text(value: Any) -> str:
    if value is None:
        return "unset"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
