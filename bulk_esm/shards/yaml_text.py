"""YAML as version 1.2 has it, less what surprises: no key twice, no words for true and false, no times.

PyYAML reads version 1.1, in which `no` is false, 012345678901 an octal number and 12:30 is 750. Of its reader only the
table of what a plain scalar means is another; what is nested too deep is refused while it is read, as that takes it
time that grows with the square of the depth.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, Final

import yaml

from bulk_esm.shards.json_text import DEEPEST

_TAG: Final = "tag:yaml.org,2002:"


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with another table, and refusals."""

    # The core schema (https://yaml.org/spec/1.2.2/#1032-tag-resolution), but that account ids such as 012345678901 and
    # hashes such as 12e5 stay text; and << for merging, which people use.
    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}  # type: ignore[misc]  # it is the class's own there too

    def fetch_flow_collection_start(self, TokenClass: Any) -> None:  # noqa: N803 - PyYAML's name
        self._refuse_depth(self.flow_level)
        super().fetch_flow_collection_start(TokenClass)

    def add_indent(self, column: int) -> bool:
        self._refuse_depth(len(self.indents))
        return bool(super().add_indent(column))

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - likewise
        seen = set[tuple[str, str]]()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in seen:
                    what = f"the key {key.value!r} is given twice"
                    raise yaml.constructor.ConstructorError(None, None, what, key.start_mark)
                seen.add((key.tag, key.value))
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found

    def _refuse_depth(self, depth: int) -> None:
        if depth > DEEPEST:
            what = f"it is nested more than {DEEPEST} deep"
            raise yaml.scanner.ScannerError(None, None, what, self.get_mark())


for _name, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(0|[1-9][0-9]*)|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?", list("-+.0123456789")),
    ("merge", r"<<", ["<"]),
):
    _Loader.add_implicit_resolver(f"{_TAG}{_name}", re.compile(rf"^(?:{_pattern})\Z"), _first)


def _int(loader: _Loader, node: Any) -> int:
    text = str(loader.construct_scalar(node))
    return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))


def _float(loader: _Loader, node: Any) -> float:
    return float(str(loader.construct_scalar(node)))


_Loader.add_constructor(f"{_TAG}int", _int)
_Loader.add_constructor(f"{_TAG}float", _float)


def read_yaml(text: str) -> Any:
    """Read a document.

    Raises:
        ValueError: it is not YAML, has a key twice, or is nested too deep.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error
    except (RecursionError, TypeError, OverflowError, AttributeError, LookupError) as error:
        # How PyYAML takes tags on the wrong values, and what contains itself.
        raise ValueError(f"of no reasonable form ({type(error).__name__})") from error
