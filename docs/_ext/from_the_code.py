"""Pages that are made of the code at each build: every command, every file as JSON Schema, and the Python API."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from sphinx.application import Sphinx

import bulk_esm
from bulk_esm.cli.app import COMMANDS, make_app
from bulk_esm.cli.schemas import DESCRIBED, schema_of

_FOLDER: Final = "generated"
_COMMAND: Final = re.compile(r"^## bulk-esm (\S+)$", re.MULTILINE)
_ENTRY: Final = re.compile(r"^\* (`[^`]*`): ?(.*)$")
_NOTE: Final = re.compile(r" \*\*?\[(choices|default|required)(?:: (.*?))?\]\*?\*(?= |$)")
_CODE: Final = re.compile(r"(`[^`]*`)")
_ROOMS: Final = {
    "bulk_esm.api": "The way in",
    "bulk_esm.bulk": "The way in",
    "bulk_esm.model": "Selections, changes, plans and results",
    "bulk_esm.gates": "Gates and observers",
    "bulk_esm.observers": "Gates and observers",
    "bulk_esm.aws": "Gates and observers",
    "bulk_esm.shards": "Accounts and Regions",
    "bulk_esm.errors": "Errors",
}
_OTHERS: Final = "Runs"
_FILES: Final = """\
# Files and outputs

These tables are made of the types that write and read the files. `bulk-esm schema NAME` prints each as JSON Schema, for
your own programs. Later versions may add members: ignore what you do not know.
"""


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("builder-inited", _write_all)
    app.connect("source-read", _place_what_has_no_place)
    return {"parallel_read_safe": True}


def _write_all(app: Sphinx) -> None:
    folder = Path(app.srcdir) / _FOLDER
    pages = dict(pages_of_commands())
    pages["files.md"] = page_of_files()
    pages["python.md"] = page_of_python()
    pages |= {
        f"schemas/{one.name}.schema.json": json.dumps(schema_of(one), indent=2) + "\n" for one in DESCRIBED.values()
    }
    for name, text in pages.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:  # else all would be read again
            path.write_text(text, encoding="utf-8")


def _place_what_has_no_place(app: Sphinx, name: str, source: list[str]) -> None:
    """Name at the end of the first page what somebody has added and nobody has placed there yet."""
    if name == app.config.root_doc:
        there = {path.stem for path in Path(app.srcdir).glob("*.md")} - {name}
        left = sorted(page for page in there if not re.search(rf"^(.*<)?{re.escape(page)}>?$", source[0], re.MULTILINE))
        source[0] += "".join(["\n```{toctree}\n:hidden:\n:caption: More\n\n", *(f"{page}\n" for page in left), "```\n"])


# Commands


def pages_of_commands() -> Iterator[tuple[str, str]]:
    """A page for each command, from what cyclopts knows of it."""
    app = make_app()
    _, *parts = _COMMAND.split(app.generate_docs("markdown"))
    found = dict(zip(parts[::2], parts[1::2], strict=True))
    for name in COMMANDS:
        function = app[name].default_command
        yield f"commands/{name}.md", f"# bulk-esm {name}\n\n{_command(found[name], function.__doc__ or '')}"
    listed = "\n".join(f"[`bulk-esm {name}`](commands/{name}.md)\n: {summary}\n" for name, summary in COMMANDS.items())
    toctree = "\n".join(f"commands/{name}" for name in COMMANDS)
    yield "commands.md", f"# All commands\n\n{listed}\n```{{toctree}}\n:hidden:\n\n{toctree}\n```\n"


def _command(generated: str, docstring: str) -> str:
    """What cyclopts wrote, with all of the docstring, and a definition list of the flags."""
    text, _, example = inspect.cleandoc(docstring).partition("Example: ")
    usage = re.search(r"```console\n.*?\n```\n", generated, re.DOTALL)
    flags = generated[generated.find("\n**") + 1 :] if "\n**" in generated else ""
    lines = [usage[0] if usage else "", _plain(text)]
    lines += [f"```console\n$ {example.strip()}\n```\n"] if example else []
    for line in flags.splitlines():
        if heading := re.fullmatch(r"\*\*(.*)\*\*:", line):
            lines.append(f"\n## {heading[1]}\n")
        elif entry := _ENTRY.match(line):
            said, notes = _NOTE.sub("", entry[2]), _notes(entry[2])
            lines.append(f"{entry[1]}\n: {_plain(said)}{notes}\n")
        else:
            lines.append(_plain(line))
    return "\n".join(lines) + "\n"


def _notes(text: str) -> str:
    shown = [f"{what}: `{value}`" if value else what for what, value in _NOTE.findall(text)]
    return f" ({'; '.join(shown)})" if shown else ""


def _plain(text: str) -> str:
    """Text for Markdown: what looks like markup in it is none, but for `code`."""
    return "".join(
        part if part.startswith("`") else re.sub(r"([*_<\[\]])", r"\\\1", part) for part in _CODE.split(text)
    )


# Files


def page_of_files() -> str:
    """What each file of a run, and each output, has in it; what several have comes last, once."""
    parts = [_FILES]
    shared: dict[str, Any] = {}
    for one in DESCRIBED.values():
        schema = schema_of(one)
        defs = schema["$defs"]
        parts.append(f"\n## {one.name}\n\nThis is {one.of}. [JSON Schema](schemas/{one.name}.schema.json)\n")
        kinds = [ref["$ref"].rpartition("/")[2] for ref in schema.get("anyOf", [schema])]
        if len(kinds) > 1:
            parts.append(f"\nEach is one of these: {', '.join(f'`{kind}`' for kind in kinds)}.\n")
        parts += [_table(name, defs, heads=len(kinds) > 1) for name in kinds]
        shared |= {
            name: _table(name, defs) for name, kind in defs.items() if name not in kinds and "properties" in kind
        }
    parts += ["\n## What these are made of\n", *(f"\n### {name}\n{table}" for name, table in sorted(shared.items()))]
    return "".join(parts)


def _table(name: str, defs: dict[str, Any], *, heads: bool = False) -> str:
    kind = defs[name]
    required = kind.get("required", ())
    rows = [
        f"| `{member}` | {_type(what, defs)}{'' if member in required else ', or absent'} "
        f"| {what.get('description', '').replace('|', chr(92) + '|')} |\n"
        for member, what in kind["properties"].items()
    ]
    head = f"`{name}`: " if heads else ""
    return f"\n{head}{kind['description']}\n\n| member | type | meaning |\n|---|---|---|\n{''.join(rows)}"


def _type(what: dict[str, Any], defs: dict[str, Any]) -> str:
    if "anyOf" in what:
        return " or ".join(_type(one, defs) for one in what["anyOf"])
    if "$ref" in what:
        name = what["$ref"].rpartition("/")[2]
        return _type(defs[name], defs) if "enum" in defs[name] else f"[{name}](#{name.lower()})"
    if "enum" in what:
        return ", ".join(f"`{one}`" for one in what["enum"])
    if what.get("type") == "array":
        return f"array of {_type(what.get('items') or {}, defs)}"
    return str(what.get("type", "any value"))


# The Python API


def page_of_python() -> str:
    """The names of the package, with what their docstrings say."""
    by_room: dict[str, list[str]] = {title: [] for title in (*_ROOMS.values(), _OTHERS)}
    for name in bulk_esm.__all__:
        if not name.startswith("_"):
            by_room[_room(getattr(bulk_esm, name))].append(name)
    parts = ["# Python API\n\nAll are names of `bulk_esm`. [From Python](../python.md) shows how they go together.\n"]
    for title, names in by_room.items():
        parts.append(f"\n## {title}\n")
        parts += [f"\n### {name}\n\n```{{eval-rst}}\n{_directive(name)}\n```\n" for name in names]
    return "".join(parts)


def _room(found: Any) -> str:
    module = getattr(found, "__module__", None) or ""
    return next((title for room, title in _ROOMS.items() if f"{module}.".startswith(f"{room}.")), _OTHERS)


def _directive(name: str) -> str:
    found = getattr(bulk_esm, name)
    if inspect.isclass(found):
        return f".. autoclass:: bulk_esm.{name}\n   :members:"
    if inspect.isfunction(found):
        return f".. autofunction:: bulk_esm.{name}"
    return f".. autodata:: bulk_esm.{name}\n   :no-value:"
