"""The public API's two ways in: `connect` for programs, `apply` for scripts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from bulk_esm.aws.session import ConnectionSettings
from bulk_esm.aws.session import connect as open_connection
from bulk_esm.bulk import DEFAULT_RUNS_DIR, BulkEsm
from bulk_esm.clock import Clock
from bulk_esm.engine.settings import EngineSettings
from bulk_esm.model.change import Change
from bulk_esm.model.records import RunRecord
from bulk_esm.model.selection import Selection


@asynccontextmanager
async def connect(
    *,
    region: str | None = None,
    profile: str | None = None,
    endpoint_url: str | None = None,
    max_per_second: float = 12.0,
    concurrency: int = 50,
    timeout_s: float = 900.0,
    clock: Clock | None = None,
) -> AsyncIterator[BulkEsm]:
    """Open one account and Region, with the credentials that the AWS CLI would use. Nothing is sent yet.

    Args:
        region: the Region; by default what the environment or the profile says.
        profile: a profile of the AWS configuration files.
        endpoint_url: another endpoint than AWS's own.
        max_per_second: requests/s to Lambda's control plane, which gives 15 to an account and Region in all.
        concurrency: requests in flight at once.
        timeout_s: how long a mapping may take to settle, in seconds.
        clock: the time, for tests.

    Raises:
        UsageError: no Region, no such profile, or a setting that is not above 0.
        AccessError: no credentials.
    """
    settings = ConnectionSettings(
        region=region,
        profile=profile,
        endpoint_url=endpoint_url,
        max_per_second=max_per_second,
        concurrency=concurrency,
    )
    async with open_connection(settings, clock=clock) as connection:
        yield BulkEsm(
            connection,
            settings=EngineSettings(concurrency=concurrency, timeout_s=timeout_s),
            clock=clock or Clock(),
        )


def apply(
    selection: Selection,
    change: Change,
    *,
    region: str | None = None,
    profile: str | None = None,
    endpoint_url: str | None = None,
    max_per_second: float = 12.0,
    runs_dir: Path | str = DEFAULT_RUNS_DIR,
    skip_blocked: bool = False,
) -> RunRecord:
    """Plan a change and carry it out, for scripts that are not asynchronous.

    Args:
        selection: which mappings.
        change: what is asked of them.
        region: the Region; by default what the environment or the profile says.
        profile: a profile of the AWS configuration files.
        endpoint_url: another endpoint than AWS's own.
        max_per_second: requests/s to Lambda's control plane.
        runs_dir: where runs are kept.
        skip_blocked: whether to carry out the rest where some mappings are blocked.

    Returns:
        The record of the run, with its counts by outcome.

    Raises:
        BulkEsmError: see `connect`, `BulkEsm.plan` and `BulkEsm.apply`.
    """

    async def main() -> RunRecord:
        async with connect(
            region=region, profile=profile, endpoint_url=endpoint_url, max_per_second=max_per_second
        ) as bulk:
            plan = await bulk.plan(selection, change)
            return await bulk.apply(plan, runs_dir=runs_dir, skip_blocked=skip_blocked)

    return anyio.run(main)
