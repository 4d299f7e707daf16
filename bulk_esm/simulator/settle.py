"""How long a mapping takes to come to rest after an update, by source type.

Nobody publishes distributions. The ranges follow what is recorded and documented (F§3.3): SQS within 20 s; DynamoDB
11 to 14 s for a whole test; Kinesis at rest within 32 s or "several minutes"; Kafka "up to 90 seconds"; DocumentDB
"several minutes"; nothing at all for MQ, which gets Kinesis's range.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from bulk_esm.model.mapping import SourceType
from bulk_esm.simulator.draws import draw

# (shortest, longest) in virtual seconds
SETTLE_S: Final[Mapping[SourceType, tuple[float, float]]] = {
    SourceType.SQS: (2, 20),
    SourceType.SQS_FIFO: (2, 20),
    SourceType.DYNAMODB: (5, 14),
    SourceType.KINESIS: (10, 60),
    SourceType.MSK: (30, 90),
    SourceType.KAFKA: (30, 90),
    SourceType.MQ: (10, 60),
    SourceType.DOCUMENTDB: (60, 180),
    SourceType.UNKNOWN: (2, 20),
}

# Raises a uniform draw so that the median lies a third into the range: most settle soon, a few take long.
_SKEW: Final = math.log(1 / 3) / math.log(1 / 2)


def settle_time(source_type: SourceType, *, seed: int, uuid: str, nth: int) -> float:
    """Draw how long one update takes to settle.

    Args:
        source_type: what the mapping reads from.
        seed: the simulator's seed.
        uuid: the mapping's identifier.
        nth: how many updates of this mapping were accepted before.

    Returns:
        Virtual seconds. The same arguments always draw the same time, so runs of identical fleets compare.
    """
    shortest, longest = SETTLE_S[source_type]
    skewed: float = draw(seed, "settle", uuid, nth) ** _SKEW
    return shortest + (longest - shortest) * skewed
