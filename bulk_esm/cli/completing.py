"""What a shell offers for the values of flags, from this machine alone: runs, profiles, Regions, parameters.

It is imported with the flags, so it imports nothing at the top. Nothing in it asks AWS, or says anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def runs(context: Any) -> Iterable[str]:
    """The runs of a folder, the newest first; what is in S3 is not asked for."""
    from pathlib import Path

    folder = context["--runs-dir"].value
    if not isinstance(folder, str) or "://" in folder:
        return ["last"]
    there = [path.name for path in Path(folder).expanduser().iterdir() if not path.name.startswith(".")]
    return ["last", *sorted(there, reverse=True)]


def profiles(_: Any) -> Iterable[str]:
    """Those of the AWS configuration files."""
    import os
    import re
    from pathlib import Path

    found: set[str] = set()
    for variable, usual in (("AWS_CONFIG_FILE", "config"), ("AWS_SHARED_CREDENTIALS_FILE", "credentials")):
        path = Path(os.environ.get(variable) or f"~/.aws/{usual}").expanduser()
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        sections = re.findall(r"^\s*\[\s*(?:(profile)\s+)?['\"]?([^]'\"]+?)['\"]?\s*\]", text, re.MULTILINE)
        # In the configuration what is no profile is something else, such as [sso-session NAME].
        found |= {name for word, name in sections if word or name == "default" or usual == "credentials"}
    return sorted(found)


def regions(context: Any) -> Iterable[str]:
    """Those that this version knows; of a list the last."""
    before, comma, _ = context.incomplete.rpartition(",")
    return [f"{before}{comma}{region}" for region in (["all"] if comma else []) + _regions()]


def parameters(context: Any) -> Iterable[str]:
    """Those of UpdateEventSourceMapping, as `--set` takes them; and members of structures once their name is there."""
    from bulk_esm.model.parameters import NOT_UPDATABLE, PARAMETERS, row

    path, dot, _ = context.incomplete.rpartition(".")
    names = [name for name in PARAMETERS if "." not in name]  # all of them; their members are in botocore's model
    if dot:
        from bulk_esm.model.api_shape import members_at  # with botocore, which takes a while

        names = [f"{path}.{name}" for name in members_at(path)]
    end = "=" if context.argument.name == "--set" else ""
    return [f"{name}{end}" for name in sorted(names) if name not in NOT_UPDATABLE and not row(name).read_only]


def _regions() -> list[str]:
    """From botocore's file: to import botocore takes ten times as long."""
    from importlib.util import find_spec
    from pathlib import Path

    import msgspec

    found = find_spec("botocore")
    if found is None or found.origin is None:
        return []
    known = msgspec.json.decode((Path(found.origin).parent / "data" / "partitions.json").read_bytes())
    named = {region for partition in known["partitions"] for region in partition["regions"]}
    return sorted(region for region in named if not region.endswith("-global"))
