"""`bulk-esm unlock SHARD`: take away a lock that nobody holds any more."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from bulk_esm.cli.options import GUARDS, AwsOptions, OutputOptions, RunsOptions
from bulk_esm.cli.streams import say
from bulk_esm.errors import RefusedError, UsageError

if TYPE_CHECKING:
    from bulk_esm.aws.bucket import Bucket

_SHARD: Final = re.compile(r"(?P<account_id>[0-9]{12})-(?P<region>[A-Za-z0-9-]+)\Z")


def unlock_command(
    shard: Annotated[str, Parameter(name="SHARD", help="ACCOUNT-REGION, such as 123456789012-eu-west-1.")],
    /,
    *,
    yes: Annotated[bool, Parameter(alias="-y", group=GUARDS, help="Do not ask.")] = False,
    runs: RunsOptions = RunsOptions(),
    aws: AwsOptions = AwsOptions(),
    output: OutputOptions = OutputOptions(),
) -> int:
    """Show who holds a lock in S3 and whether it still lives, and take it away.

    A run that is killed needs none of this: its lock is free a minute later. A run that lives and loses its lock sends
    nothing more, from its next renewal on, within 15 s.

    Example: bulk-esm unlock 123456789012-eu-west-1 --runs-dir s3://my-bucket/bulk-esm
    """
    import anyio

    from bulk_esm.cli.opening import interruptible
    from bulk_esm.cli.places import bucket_settings
    from bulk_esm.cli.set_up import set_up_logs

    set_up_logs(output)
    found = _SHARD.match(shard)
    if found is None:
        raise UsageError(f"{shard!r} is no ACCOUNT-REGION such as 123456789012-eu-west-1")
    settings = bucket_settings(runs, aws)
    if settings is None:
        say(
            f"{runs.runs_dir} is a folder: its locks are of this machine, and each ends with its process, so there is "
            "nothing to take away",
            quiet=output.quiet,
        )
        return 0

    async def main() -> int:
        from bulk_esm.aws.bucket import open_bucket

        async with open_bucket(settings) as bucket:
            return await _unlocked(bucket, found["account_id"], found["region"], _endpoint_url(aws), yes=yes)

    return anyio.run(interruptible, main)


def _endpoint_url(aws: AwsOptions) -> str | None:
    """Where requests to Lambda would go; None for AWS: each place has locks of its own."""
    from bulk_esm.aws.logins import Logins
    from bulk_esm.aws.regions import configured_endpoint, is_of_aws

    found = aws.endpoint_url or configured_endpoint(Logins().of_profile(aws.profile))
    return None if found is None or is_of_aws(found) else found


async def _unlocked(bucket: Bucket, account_id: str, region: str, endpoint_url: str | None, *, yes: bool) -> int:
    """Show a lock, ask, and take it away."""
    from bulk_esm.cli.asking import ask, can_ask
    from bulk_esm.clock import Clock, iso, time_with_sleep
    from bulk_esm.store.lock import place_of
    from bulk_esm.store.s3.locks import holder_here, lock_key
    from bulk_esm.store.s3.taking import look_at
    from bulk_esm.store.s3.unlocking import described, is_held, unlock

    key, what = lock_key(account_id, region, endpoint_url), place_of(account_id, region)
    clock = Clock(monotonic=time_with_sleep)
    look = await look_at(bucket, key, clock)
    for line in described(look, what):
        say(line)
    if not is_held(look):
        return 0
    if not yes and not can_ask():
        raise RefusedError("there is no terminal to ask at: say --yes to take it away")
    if not yes and not await ask("Take this lock away? If its holder lives, two runs may send for a while."):
        say("nothing was changed")
        return 2
    await unlock(bucket, key, look, by=holder_here(command="unlock", started_at=iso(clock.now()) or ""))
    say(f"{what} is free")
    if look.record is not None and look.record.holder.run:
        say(f"to finish what it left: bulk-esm continue {look.record.holder.run}")
    return 0
