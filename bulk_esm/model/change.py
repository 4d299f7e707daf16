"""A change: which parameters to set or unset. Parsed and checked whole, then compared with one mapping at a time."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import Any

import msgspec

from bulk_esm.errors import UsageError
from bulk_esm.model.api_shape import OR_ALLOW_UNKNOWN, members_at, shape_at
from bulk_esm.model.checked import Checked, taken
from bulk_esm.model.combinations import cross_field_problems
from bulk_esm.model.differences import Difference, differences_of
from bulk_esm.model.filters import FILTERS, KEY, is_unreadable, unreadable_problems
from bulk_esm.model.mapping import EventSourceMapping, SourceType
from bulk_esm.model.parameters import NOT_UPDATABLE, nearest, row
from bulk_esm.model.rules import is_irreversible, value_problems
from bulk_esm.model.values import current_value, holds, is_empty, merged


class Change(Checked, frozen=True):
    """What every selected mapping is to have.

    Attributes:
        values: parameters of UpdateEventSourceMapping, nested as the API nests them. Members merge into what the
            mapping has; lists replace.
        unset: dotted paths to bring back to nothing, or to their default, in their documented clear form.
        allow_unknown: whether Lambda is taken to know more than this version: parameters, members and words that the
            API's model does not have are sent as given, and its upper bounds do not count.
    """

    values: dict[str, Any]
    unset: tuple[str, ...] = ()
    allow_unknown: bool = False

    @classmethod
    def parse(
        cls,
        settings: Iterable[str] = (),
        unset: Iterable[str] = (),
        document: dict[str, Any] | None = None,
        *,
        allow_unknown: bool = False,
    ) -> Change:
        """Read a change as a user gives it, and check all of it that can be checked without a mapping.

        Args:
            settings: `Name[.Sub...]=VALUE`, the value JSON or else a string; they win over `document`.
            unset: names or dotted paths to clear.
            document: an object of parameters, as a file has it.
            allow_unknown: whether Lambda is taken to know more than this version.

        Raises:
            UsageError: an unknown name (the nearest one is suggested), a value that no source type can take, a path
                both set and unset, or no change at all.
        """
        for name, lines in (("settings", settings), ("unset", unset)):
            if isinstance(lines, str):  # which would be read letter by letter
                taken(name, lines, tuple[str, ...])
        values = copy.deepcopy(document or {})
        given: list[str] = []
        for setting in settings:
            path, equals, text = setting.partition("=")
            if not equals:
                raise UsageError(f"--set {setting}: a value is missing; write --set {setting}=VALUE")
            for other in given:
                if _overlap(path, other):
                    twice = "is given twice" if path == other else f"and --set {other} overlap"
                    raise UsageError(f"--set {path} {twice}; say which value is meant")
            given.append(path)
            _check_name(path, allow_unknown=allow_unknown)
            _place(values, path, _parse_value(path, text))
        return cls(values=values, unset=tuple(dict.fromkeys(unset)), allow_unknown=allow_unknown)

    def check(self) -> None:
        """Refuse what no mapping could take; called where it is made.

        Raises:
            UsageError: see `parse`.
        """
        if not self.values and not self.unset:
            raise UsageError("an empty change: say what to change with --set, --unset, --change or --requests")
        for path, value in _leaves("", self.values):
            _check_name(path, allow_unknown=self.allow_unknown)
            if any(_overlap(path, gone) for gone in self.unset):
                raise UsageError(f"{path} is both set and unset; say which is meant")
            if value is None:
                raise UsageError(f"{path} is null, which Lambda does not take; to clear it use --unset {path}")
        for path in self.unset:
            _check_name(path, allow_unknown=self.allow_unknown)
            cleared = row(row(path).cleared_as or path)
            if all(cleared.clear_for(source_type) is None for source_type in cleared.sources):
                raise UsageError(f"{path} cannot be unset: {row(path).why_not or 'it has no documented clear form'}")
        for name, value in self.values.items():
            if "." in name:
                raise UsageError(f"{name}: write members nested, as the API nests them, or use --set {name}=VALUE")
            problems = {source: self._problems_of(name, value, source) for source in row(name).sources}
            if all(problems.values()):
                # The tersest complaint is that of the most tolerant source type.
                raise UsageError(min(problems.values(), key=lambda lines: (len(lines), lines))[0])

    def _problems_of(self, name: str, value: Any, source_type: SourceType) -> tuple[str, ...]:
        return tuple(value_problems(name, value, source_type, allow_unknown=self.allow_unknown))

    def touches(self, parameters: AbstractSet[str]) -> bool:
        """Whether it sets or unsets any of these parameters, or a member of one."""
        return any(path.partition(".")[0] in parameters for path in (*self.values, *self.unset))

    def asked_of(self, source_type: SourceType) -> dict[str, Any]:
        """The values asked of one source type: those set, and the clear form of those unset.

        Args:
            source_type: the mapping's; clear forms and defaults differ by it.

        Returns:
            Parameters, nested. A path that cannot be unset for this source type has the value None.
        """
        asked = msgspec.json.decode(msgspec.json.encode(self.values))
        # Members first, so that a whole that is unset too has the last word.
        for path in sorted(self.unset, key=len, reverse=True):
            cleared = row(path).cleared_as or path
            _place(asked, cleared, row(cleared).clear_for(source_type))
        return asked  # type: ignore[no-any-return]

    def compare(self, mapping: EventSourceMapping, *, allow_irreversible: bool = False) -> Comparison:
        """Tell what an update would have to send to one mapping, and what speaks against it.

        Args:
            mapping: the mapping, at rest.
            allow_irreversible: whether a change that can never be taken back may be made.

        Returns:
            The request (empty if the mapping already has everything, or cannot take it) with what differs and why not.
        """
        source_type = mapping.source_type
        request: dict[str, Any] = {}
        differences: list[Difference] = []
        problems: list[str] = []
        unreadable = is_unreadable(mapping)
        asked_of = self.asked_of(source_type)
        for name, asked in asked_of.items():
            if not row(name).takes(source_type):
                if asked is None or asked != row(name).fixed.get(source_type):
                    problems.extend(value_problems(name, asked, source_type))
                continue
            if asked is None:
                problems.append(f"{name} cannot be unset on {source_type}: {row(name).why_not}")
                continue
            if holds(name, asked, mapping) and not (unreadable and name == "FilterCriteria"):
                continue
            before = current_value(mapping, name)
            request[name] = merged(name, before, asked)
            # What was not asked for and goes along is Lambda's own, whatever this version thinks of it.
            problems.extend(self._problems_of(name, asked, source_type))
            irreversible = is_irreversible(mapping, name)
            differences += differences_of(name, before, request[name], source_type, irreversible=irreversible)
            if irreversible and not allow_irreversible:
                problems.append(
                    f"{name}: the 500 ms window of {source_type} cannot be restored once changed; "
                    "--allow-irreversible changes it all the same"
                )
        problems.extend(unreadable_problems(mapping, request))
        if not problems:
            problems.extend(cross_field_problems(mapping, request | _key_that_would_go(asked_of, request)))
        return Comparison(request if not problems else {}, tuple(differences), tuple(problems))


class Comparison(msgspec.Struct, frozen=True):
    """A change against one mapping: what to send, what differs, and what speaks against it."""

    request: dict[str, Any]
    differences: tuple[Difference, ...]
    problems: tuple[str, ...]


def _key_that_would_go(asked: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    """The key that is asked for, and perhaps there, where filters are cleared: it goes with them (F§0.1)."""
    clears_filters = FILTERS in request and is_empty(request[FILTERS])
    return {KEY: asked[KEY]} if clears_filters and KEY in asked else {}


def _check_name(path: str, *, allow_unknown: bool) -> None:
    parent, _, name = path.rpartition(".")
    if parent:
        _check_name(parent, allow_unknown=allow_unknown)
    if row(path).read_only:
        raise UsageError(f"{path} cannot be changed: {row(path).why_not}")
    if path in NOT_UPDATABLE:
        raise UsageError(f"{path} cannot be changed: {NOT_UPDATABLE[path]}")
    names = members_at(parent)
    if allow_unknown and name and (not parent or names or shape_at(parent) is None):
        return
    if not names:
        raise UsageError(f"{parent} has no members: --set {parent}=VALUE")
    if name not in names or path.startswith("."):
        where = f"{parent} has no member {name!r}" if parent else f"unknown parameter {path!r}"
        instead = nearest(name, names) or f"; there are {', '.join(sorted(names))}"
        raise UsageError(f"{where}{instead}{OR_ALLOW_UNKNOWN}")


def _parse_value(path: str, text: str) -> Any:
    shape = shape_at(path)
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
    # A name that looks like a number is still a name.
    return text if shape is not None and shape.type_name == "string" and not isinstance(value, str) else value


def _place(values: dict[str, Any], path: str, value: Any) -> None:
    *parents, name = path.split(".")
    for parent in parents:
        inner = values.setdefault(parent, {})
        if not isinstance(inner, dict):
            raise UsageError(f"{path}: {parent} is already set to {inner!r}")
        values = inner
    values[name] = value


def _overlap(path: str, other: str) -> bool:
    return f"{path}.".startswith(f"{other}.") or f"{other}.".startswith(f"{path}.")


def _leaves(prefix: str, values: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        path = f"{prefix}{name}"
        if isinstance(value, dict) and value:
            yield from _leaves(f"{path}.", value)
        else:
            yield path, value
