"""Which mappings: globs, states, tags, an expression, UUIDs. A flag given again widens; different flags narrow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Final

from bulk_esm.errors import UsageError
from bulk_esm.model.checked import Checked
from bulk_esm.model.mapping import AnySourceType, EventSourceMapping, FunctionReference, State
from bulk_esm.model.parameters import nearest
from bulk_esm.model.where import check_expression, is_true_of

_CLASS: Final = re.compile(r"\[[^\]]*\]")  # in a glob these are alternatives, whatever they are
_IN_NO_NAME: Final = re.compile(r"[,{}\s]")

TagsByArn = Mapping[str, Mapping[str, str]]
"""Tags by ARN: of mappings, and of functions without a qualifier."""


class Selection(Checked, frozen=True, kw_only=True):
    """Which mappings to look at. Each field's values widen it, different fields narrow each other.

    Attributes:
        all: every mapping that nothing else excludes.
        functions: globs of function names; of ARNs where the glob holds a colon. A qualifier counts only if the glob
            has one.
        exclude: globs like those of `functions`; what they match is left out.
        sources: globs of event source ARNs.
        source_types: kinds of source, or their names: `SourceType.KINESIS` or `kinesis`.
        states: documented states.
        tags: `KEY` or `KEY=VALUE` of the mapping's own tags.
        function_tags: the same of its function's tags, which a mapping does not inherit.
        where: JMESPath expressions over the mapping as Lambda returns it; kept where truthy.
        uuids: identifiers of mappings, or their beginnings, of 4 characters or more, if no other mapping begins so.
    """

    all: bool = False
    functions: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    source_types: tuple[AnySourceType, ...] = ()
    states: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    function_tags: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    uuids: frozenset[str] = frozenset()

    def check(self) -> None:
        """Refuse a selection that cannot be meant; called where it is made.

        Raises:
            UsageError: a malformed expression or one that can never be true, a glob that no name can match, a misspelt
                state, a source that is no ARN, or a tag without a key.
        """
        for expression in self.where:
            check_expression(expression)
        for flag, globs in (("--function", self.functions), ("--exclude", self.exclude), ("--source", self.sources)):
            for glob in globs:
                _refuse_impossible(flag, glob)
        for state in self.states:
            if state not in set(State):
                raise UsageError(f"--state {state}: no such state{nearest(state, State)}; there are {', '.join(State)}")
        for glob in self.sources:
            if not glob.startswith(("arn:", "*", "?", "[")):
                raise UsageError(f"--source {glob!r} matches no ARN, as those begin with arn: write '*{glob}'")
        for tag in (*self.tags, *self.function_tags):
            if not tag.partition("=")[0]:
                raise UsageError(f"a tag is KEY or KEY=VALUE, not {tag!r}")

    @property
    def is_empty(self) -> bool:
        """Whether nothing says what to select; an exclusion alone does not."""
        return not self.all and not any(
            (
                self.functions,
                self.sources,
                self.source_types,
                self.states,
                self.tags,
                self.function_tags,
                self.where,
                self.uuids,
            )
        )

    def matches(self, mapping: EventSourceMapping, tags_by_arn: TagsByArn | None = None) -> bool:
        """Whether a mapping is selected.

        Args:
            mapping: the mapping as Lambda returned it.
            tags_by_arn: the tags of mappings and of unqualified functions, by ARN, where tags are asked for.

        Raises:
            UsageError: an expression that cannot be evaluated on this mapping.
        """
        tags = tags_by_arn or {}
        function = mapping.function
        arn = mapping.function_arn or ""
        unqualified_arn = arn.removesuffix(f":{function.qualifier}") if function.qualifier else arn
        return (
            (not self.functions or any(matches_function(glob, arn) for glob in self.functions))
            and not any(matches_function(glob, arn) for glob in self.exclude)
            and (not self.sources or _has_source(self.sources, mapping.event_source_arn))
            and (not self.source_types or mapping.source_type in self.source_types)
            and (not self.states or mapping.state in self.states)
            and (not self.uuids or mapping.uuid in self.uuids)
            and (not self.tags or _has_tag(self.tags, tags.get(mapping.arn or "", {})))
            and (not self.function_tags or _has_tag(self.function_tags, tags.get(unqualified_arn, {})))
            and (not self.where or any(is_true_of(expression, mapping.configuration) for expression in self.where))
        )


def _refuse_impossible(flag: str, glob: str) -> None:
    """Refuse a glob that holds what no function's name and no ARN can."""
    if not glob:
        raise UsageError(f"{flag} '' matches nothing: leave it out, or write '*' for all")
    if found := _IN_NO_NAME.search(_CLASS.sub("", glob)):
        parts = [part.strip() for part in glob.split(",") if part.strip()]
        again = f"; repeat the flag: {' '.join(f'{flag} {part!r}' for part in parts)}" if "{" not in glob else ""
        raise UsageError(f"{flag} {glob!r} matches nothing, as there is no {found[0]!r} in a name or an ARN{again}")


def matches_function(glob: str, arn: str) -> bool:
    """Whether a glob, as `--function` takes it, names a mapping's function.

    Args:
        glob: a glob of the name, of `name:qualifier`, or of the ARN or its tail.
        arn: the mapping's full function ARN.
    """
    function = FunctionReference.parse(arn)
    if ":" not in glob:
        return fnmatchcase(function.name, glob)
    _, marker, tail = f":{glob}".partition(":function:")
    if not marker and not glob.startswith(("arn:", "*")):
        return function.qualifier is not None and fnmatchcase(f"{function.name}:{function.qualifier}", glob)
    unqualified = arn.removesuffix(f":{function.qualifier}") if function.qualifier else arn
    # Without the marker nobody can tell whether the glob has a qualifier (`*:PROD`, `*:orders`): either may match.
    subjects = {unqualified, arn} if not marker else {arn if ":" in tail else unqualified}
    return any(fnmatchcase(subject, each) for subject in subjects for each in (glob, f"*:{glob}"))


def _has_source(globs: tuple[str, ...], arn: str | None) -> bool:
    return arn is not None and any(fnmatchcase(arn, glob) for glob in globs)


def _has_tag(wanted: tuple[str, ...], tags: Mapping[str, str]) -> bool:
    for tag in wanted:
        key, equals, value = tag.partition("=")
        if key in tags and (not equals or tags[key] == value):
            return True
    return False
