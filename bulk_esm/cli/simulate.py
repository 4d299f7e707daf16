"""`bulk-esm simulate`: a Lambda control plane on loopback."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

from bulk_esm.cli.options import Duration
from bulk_esm.cli.streams import say
from bulk_esm.errors import UsageError

if TYPE_CHECKING:
    from bulk_esm.simulator import Denial, Faults, Report

FAULTS = Group("Faults", help="Shares are from 0 to 1; times are divided by --speed.", sort_key=2)


@Parameter(name="*", group=FAULTS)
@dataclass(frozen=True, kw_only=True)
class FaultOptions:
    """What is to go wrong."""

    error_share: Annotated[float, Parameter(help="Answers that are 500 ServiceException.")] = 0.0
    cut_share: Annotated[float, Parameter(help="Connections cut, half of them after the update was applied.")] = 0.0
    refused_share: Annotated[float, Parameter(help="Mappings whose updates are refused.")] = 0.0
    stuck_share: Annotated[float, Parameter(help="Mappings that never settle.")] = 0.0
    list_lag: Annotated[Duration | None, Parameter(help="How far List lags behind, such as 10s.")] = None
    real_list_lag: Annotated[Duration | None, Parameter(help="Likewise, in real time, whatever --speed is.")] = None
    other_caller_share: Annotated[float, Parameter(help="Slice of the quota that another caller eats.")] = 0.0
    spoil: Annotated[tuple[str, ...], Parameter(help="Answers that are none of Lambda's, such as half.")] = ()
    spoiled_share: Annotated[float, Parameter(help="Answers that are spoiled, where there is a --spoil.")] = 1.0
    deny: Annotated[
        tuple[str, ...],
        Parameter(
            help="ACTION that every caller lacks, or ACTION=GLOB for mappings by UUID, ARN or function, such as "
            "lambda:UpdateEventSourceMapping=orders-*. May be repeated."
        ),
    ] = ()

    def faults(self) -> Faults:
        """The simulator's own settings."""
        from bulk_esm.simulator import Faults, Spoil

        shares = [self.error_share, self.cut_share, self.refused_share, self.stuck_share, self.other_caller_share]
        shares.append(self.spoiled_share)
        if any(not 0 <= share <= 1 for share in shares):
            raise UsageError("a share is from 0 to 1")
        if unknown := sorted(set(self.spoil) - set(Spoil)):
            raise UsageError(f"--spoil {unknown[0]}: there are {', '.join(Spoil)}")
        return Faults(
            denials=tuple(_denial(text) for text in self.deny),
            error_share=self.error_share,
            cut_before_share=self.cut_share / 2,
            cut_after_share=self.cut_share / 2,
            refused_share=self.refused_share,
            stuck_share=self.stuck_share,
            list_lag_s=self.list_lag or 0.0,
            list_lag_real_s=self.real_list_lag or 0.0,
            spoils=tuple(map(Spoil, self.spoil)),
            spoiled_share=self.spoiled_share,
            other_caller_share=self.other_caller_share,
        )


def _denial(text: str) -> Denial:
    from bulk_esm.simulator import Denial

    action, given, glob = text.partition("=")
    if not action.startswith("lambda:") or (given and not glob):
        raise UsageError(
            f"--deny {text}: say an action of Lambda, such as lambda:GetEventSourceMapping, or ACTION=GLOB"
        )
    return Denial(action=action, resources=(glob,) if given else ())


def simulate_command(
    *,
    mappings: Annotated[int, Parameter(help="Mappings in the fleet.")] = 1000,
    speed: Annotated[float, Parameter(help="Divides every time and multiplies the quota.")] = 1.0,
    seed: Annotated[int, Parameter(help="The same seed makes the same fleet and the same luck.")] = 1,
    port: Annotated[int, Parameter(help="Port on 127.0.0.1; 0 is any that is free.")] = 0,
    faults: FaultOptions = FaultOptions(),
) -> int:
    """Run a Lambda control plane on loopback, until interrupted. Prints the environment that points a client at it.

    Example: bulk-esm simulate --mappings 1000 --speed 20
    """
    import anyio

    if mappings < 0 or not speed > 0 or not 0 <= port <= 65535:  # noqa: PLR2004 - TCP's own
        raise UsageError("--mappings is 0 or more, --speed is above 0, and --port is from 0 to 65535")
    anyio.run(_serve, mappings, speed, seed, port, faults.faults())
    return 0


async def _serve(mappings: int, speed: float, seed: int, port: int, faults: Faults) -> None:
    import asyncio

    import anyio

    from bulk_esm.cli import collect_garbage
    from bulk_esm.cli.signals import heard
    from bulk_esm.simulator import Simulator

    collect_garbage()
    simulator = Simulator(mappings=mappings, speed=speed, seed=seed, port=port, faults=faults)
    try:
        await simulator.__aenter__()
    except OSError as error:
        raise UsageError(f"port {port} of 127.0.0.1 cannot be had: {error.strerror}") from error
    try:
        loop, stopped = asyncio.get_running_loop(), anyio.Event()

        def stop(_: int) -> None:
            loop.call_soon_threadsafe(stopped.set)

        with heard(stop):
            exports = [f"export {name}={value}" for name, value in simulator.environment.items()]
            print("\n".join(exports), flush=True)  # noqa: T201 - for the shell
            say(f"{mappings:,} mappings at {simulator.endpoint_url}, {speed:g} times as fast as Lambda: {15 * speed:g}")
            say("requests/s. Paste the lines above into another terminal; stop with Ctrl-C")
            await stopped.wait()
    finally:
        for line in _summary(simulator.report()):
            say(line)
        await simulator.__aexit__(None, None, None)


def _summary(report: Report) -> list[str]:
    kinds = sorted({count.kind for count in report.requests})
    asked = ", ".join(f"{report.count(kind=kind):,} {kind}" for kind in kinds) or "none"
    states = ", ".join(f"{count:,} {state}" for state, count in sorted(report.states.items()))
    twice = sum(1 for mapping in report.mappings if mapping.accepted_count > 1)
    return [
        f"requests: {asked}; {report.count(status=429):,} throttled",
        f"mappings: {states}; {twice:,} with more than one accepted update",
    ]
