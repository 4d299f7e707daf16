"""The file that says what a fleet is, in TOML, YAML or JSON.

    regions = ["eu-west-1", "us-east-1"]   # what holds for shards that do not say otherwise; all of it optional:
    role_name = "bulk-esm"                 # role_name or role_arn, external_id, profile, rate, tags

    [[shards]]
    account = "111111111111"
    region = "eu-west-1"                   # or regions = ["eu-west-1", "us-east-1"] or ["all"]
    role_arn = "arn:aws:iam::111111111111:role/other"   # or role_name; role_name = "" for no role
    rate = 8.0                             # requests/s
    tags = {stage = "canary"}              # for --shard-tag; beside those that hold for all

A shard without an account is in that of its role's ARN, else of its profile's credentials.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import msgspec

from bulk_esm.errors import UsageError
from bulk_esm.model.parameters import nearest
from bulk_esm.shards.document import read_document
from bulk_esm.shards.spec import ShardSpec, names_of, refuse_duplicates

_Rate = Annotated[float, msgspec.Meta(gt=0, le=1_000_000)]
_Struct = TypeVar("_Struct", bound="_Common")
_MESSAGE: Final = re.compile(r"(?P<what>.*?)(?: - at `(?P<path>.*)`)?", re.DOTALL)


class _Common(msgspec.Struct, frozen=True, kw_only=True):
    regions: tuple[str, ...] | None = None
    role_name: str | None = None
    role_arn: str | None = None
    external_id: str | None = None
    profile: str | None = None
    rate: _Rate | None = None
    tags: dict[str, str] = {}


class _Shard(_Common, frozen=True, kw_only=True):
    account: str | None = None
    region: str | None = None


class _Document(_Common, frozen=True, kw_only=True):
    shards: list[Any] = []


class FleetFile(msgspec.Struct, frozen=True, kw_only=True):
    """A fleet file that was read and checked.

    Attributes:
        name: the file's name, for messages.
        specs: its shards, in their order; one of several Regions is one.
    """

    name: str
    specs: tuple[ShardSpec, ...]


def read_fleet_file(path: Path) -> FleetFile:
    """Read a fleet file; see this module for its form.

    Args:
        path: the file: TOML if it ends in `.toml`, else YAML, which JSON is too.

    Raises:
        UsageError: it cannot be read, or is malformed; the message has the file, the shard and the key.
    """
    name = f"--fleet {path}"
    return _read(read_document(path, name), name)


def _read(found: Any, name: str) -> FleetFile:
    document = _convert(found or {}, _Document, name)
    if not document.shards:
        raise UsageError(f"{name}: it has no shards; write [[shards]] in TOML or shards: in YAML, each with a region")
    specs = tuple(_spec(shard, document, f"{name}, shard {number}") for number, shard in enumerate(document.shards, 1))
    if document.external_id is not None and not any(spec.external_id for spec in specs):
        raise UsageError(f"{name}, external_id: it goes with a role; give role_name or role_arn, or leave it out")
    refuse_duplicates(names_of(specs))
    return FleetFile(name=name, specs=specs)


def _convert(found: Any, kind: type[_Struct], where: str) -> _Struct:
    known = [field.name for field in msgspec.structs.fields(kind)]
    if not isinstance(found, dict):
        raise UsageError(f"{where}: it is no object; its keys would be {_list(known)}")
    for key in found:
        if key not in known:
            raise UsageError(f"{where}: unknown key {key!r}{nearest(str(key), known) or f'; known are {_list(known)}'}")
    try:
        return msgspec.convert(found, kind)
    except msgspec.ValidationError as error:
        raise UsageError(f"{where}{_explained(str(error))}") from error


def _list(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _explained(message: str) -> str:
    """What msgspec says, in the words of the file: ``Expected `str`, got `int` - at `$.account` ``."""
    found = _MESSAGE.fullmatch(message)
    what, path = (found["what"], found["path"]) if found else (message, None)
    key = f", {path.removeprefix('$').removeprefix('.')}" if path and path != "$" else ""
    # YAML and TOML read an account id as a number.
    hint = "; quote it" if re.match(r"Expected `str(?: \| null)?`, got `(int|float|bool)`", what) else ""
    return f"{key}: {what[:1].lower()}{what[1:].replace('`', '')}{hint}"


def _spec(found: Any, document: _Document, where: str) -> ShardSpec:
    shard = _convert(found, _Shard, where)
    if shard.region is not None and shard.regions is not None:
        raise UsageError(f"{where}: region and regions both say where; give one of them")
    if shard.regions == ():
        raise UsageError(f"{where}, regions: it is empty; name Regions, or leave it out")
    # A shard's own role takes the place of the other, whichever way each is named.
    role = shard if (shard.role_name, shard.role_arn) != (None, None) else document
    with_role = bool(role.role_name) or role.role_arn is not None
    external_id = document.external_id if with_role else None
    return ShardSpec(
        account_id=shard.account,
        regions=(shard.region,) if shard.region is not None else shard.regions or document.regions or (),
        role_name=role.role_name or None,
        role_arn=role.role_arn,
        external_id=shard.external_id if shard.external_id is not None else external_id,
        profile=shard.profile if shard.profile is not None else document.profile,
        max_per_second=shard.rate if shard.rate is not None else document.rate,
        tags=document.tags | shard.tags,
        where=where,
    )
