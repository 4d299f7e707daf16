"""How long a mapping takes to come to rest after a call, by source type and by what the call does.

What was captured is F§0.2. The rest has the slow ranges that are documented or recorded in tests (F§3.3): whoever waits
long enough for those waits long enough for Lambda.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from bulk_esm.model.mapping import SourceType, State
from bulk_esm.simulator.draws import draw


class Transition(StrEnum):
    """What a call does to a mapping, as far as the time to rest depends on it."""

    ENABLE = "enable"
    DISABLE = "disable"
    SWITCH_AND_CONFIGURE = "switch-and-configure"
    CONFIGURE_ENABLED = "configure-enabled"
    CONFIGURE_DISABLED = "configure-disabled"
    DELETE = "delete"


Range = tuple[float, float]  # (shortest, longest) in virtual seconds


def _times(
    *, enable: Range, disable: Range, both: Range, configure: Range, configure_disabled: Range
) -> Mapping[Transition, Range]:
    return {
        Transition.ENABLE: enable,
        Transition.DISABLE: disable,
        Transition.SWITCH_AND_CONFIGURE: both,
        Transition.CONFIGURE_ENABLED: configure,
        Transition.CONFIGURE_DISABLED: configure_disabled,
        Transition.DELETE: _WITHIN_A_SECOND,  # 404 within about a second, whatever the source (F§0.2)
    }


_AT_ONCE: Final = (0.0, 0.0)
_WITHIN_A_SECOND: Final = (0.4, 1.1)
_KINESIS: Final = (10.0, 60.0)
_KAFKA: Final = (30.0, 90.0)
_DOCUMENTDB: Final = (60.0, 180.0)

# Guess: Enabled and configuration in one call is accepted (F§0.2), and takes as long as the slower of the two at most;
# its time was not captured with any source, and one such call to an Enabled and to a Disabled queue would tell.
# Probe steps: flip-with-configuration
_SQS_BOTH: Final = (8.0, 20.0)

_OF_SQS: Final = _times(  # captured (F§0.2)
    enable=(8.0, 10.0), disable=(5.5, 10.0), both=_SQS_BOTH, configure=(12.7, 15.1), configure_disabled=_AT_ONCE
)
# Guess: MSK and self-managed Kafka take the documented "up to 90 seconds" (F§3.3) for all but the configuration of a
# Disabled mapping, which rests within 1.8 s (F§0.2); a pause, a resume and an update of a live mapping would tell.
# Probe steps: flip, configuration
_OF_KAFKA: Final = _times(
    enable=_KAFKA, disable=_KAFKA, both=_KAFKA, configure=_KAFKA, configure_disabled=(0.4, 1.8)
)  # fmt: skip

SETTLE_S: Final[Mapping[SourceType, Mapping[Transition, Range]]] = {
    SourceType.SQS: _OF_SQS,
    # Guess: a FIFO queue's mapping takes as long as a standard queue's, which is what was timed (F§0.2); the same
    # calls to a FIFO mapping would tell.
    # Probe steps: flip, configuration
    SourceType.SQS_FIFO: _OF_SQS,
    # Guess: the configuration of an Enabled DynamoDB mapping takes what the slowest recorded tests took (F§3.3); only
    # enable, disable and the configuration of a Disabled one were captured, and all rest within 1.1 s (F§0.2).
    # Probe steps: configuration
    SourceType.DYNAMODB: _times(
        enable=_WITHIN_A_SECOND,
        disable=_WITHIN_A_SECOND,
        both=(5.0, 14.0),
        configure=(5.0, 14.0),
        configure_disabled=_WITHIN_A_SECOND,
    ),
    # Guess: the configuration of an Enabled Kinesis mapping takes up to a minute ("several minutes" to restart polling,
    # F§3.3), and that of a Disabled one what DynamoDB's takes; captured are enable and disable alone (F§0.2).
    # Probe steps: configuration, configuration-in-the-other-state
    SourceType.KINESIS: _times(
        enable=_WITHIN_A_SECOND,
        disable=_WITHIN_A_SECOND,
        both=_KINESIS,
        configure=_KINESIS,
        configure_disabled=_WITHIN_A_SECOND,
    ),
    SourceType.MSK: _OF_KAFKA,
    SourceType.KAFKA: _OF_KAFKA,
    # Guess: MQ's brokers take as long as a Kinesis stream, since nothing is published; captured is the configuration of
    # a Disabled RabbitMQ mapping alone, at rest at once (F§0.2), and ActiveMQ is taken to be like it.
    # Probe steps: flip, configuration
    SourceType.MQ: _times(
        enable=_KINESIS, disable=_KINESIS, both=_KINESIS, configure=_KINESIS, configure_disabled=_AT_ONCE
    ),
    # Guess: DocumentDB takes one to three of the documented "several minutes" (F§3.3); captured is the configuration of
    # a Disabled mapping alone, within 3.8 s with CloudFormation's own time (F§0.2).
    # Probe steps: flip, configuration
    SourceType.DOCUMENTDB: _times(
        enable=_DOCUMENTDB, disable=_DOCUMENTDB, both=_DOCUMENTDB, configure=_DOCUMENTDB, configure_disabled=(1.0, 3.8)
    ),
    # Guess: a source type that this version does not know takes as long as a queue or longer; nothing can be known.
    SourceType.UNKNOWN: _times(
        enable=(2.0, 20.0), disable=(2.0, 20.0), both=(2.0, 20.0), configure=(2.0, 20.0), configure_disabled=(2.0, 20.0)
    ),
}

# Raises a uniform draw so that the median lies a third into the range.
# Guess: most mappings settle soon and a few take long; the captures (F§0.2) are too few to show a distribution.
_SKEW: Final = math.log(1 / 3) / math.log(1 / 2)


def rest_of(request: Mapping[str, Any], state: str) -> str:
    """The state in which an update leaves a mapping.

    Args:
        request: UpdateEventSourceMapping's members.
        state: the mapping's, at rest.
    """
    if "Enabled" not in request:
        return state
    return State.ENABLED if request["Enabled"] else State.DISABLED


def passing_of(state: str, rest: str) -> str:
    """The state through which a mapping passes on its way to rest.

    Args:
        state: the mapping's before the update.
        rest: where the update leaves it.
    """
    # Guess: a call that changes Enabled and configuration passes through Enabling or Disabling, as if it changed only
    # Enabled; that it is accepted is captured, its 202 is not (F§0.2).
    # Probe steps: flip-with-configuration
    if rest == state:
        return State.UPDATING
    return State.ENABLING if rest == State.ENABLED else State.DISABLING


def transition_of(request: Mapping[str, Any], state: str) -> Transition:
    """What an update does to a mapping. An update that changes nothing counts as configuration (F§0.2).

    Args:
        request: UpdateEventSourceMapping's members.
        state: the mapping's, at rest.
    """
    rest = rest_of(request, state)
    if rest == state:
        return Transition.CONFIGURE_DISABLED if state == State.DISABLED else Transition.CONFIGURE_ENABLED
    if request.keys() - {"UUID", "Enabled"}:
        return Transition.SWITCH_AND_CONFIGURE
    return Transition.ENABLE if rest == State.ENABLED else Transition.DISABLE


def settle_time(source_type: SourceType, transition: Transition, *, seed: int, uuid: str, nth: int) -> float:
    """Draw how long one call takes to settle.

    Args:
        source_type: what the mapping reads from.
        transition: what the call does.
        seed: the simulator's seed.
        uuid: the mapping's identifier.
        nth: how many updates of this mapping were accepted before.

    Returns:
        Virtual seconds; 0 where the call's own answer shows the mapping at rest. The same arguments always draw the
        same time, so runs of identical fleets compare.
    """
    shortest, longest = SETTLE_S[source_type][transition]
    skewed: float = draw(seed, "settle", uuid, nth) ** _SKEW
    return shortest + (longest - shortest) * skewed
