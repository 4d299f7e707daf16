"""What all accounts and Regions of a simulator share."""

from __future__ import annotations

from bulk_esm.model.checked import Checked, NotNegative
from bulk_esm.simulator.faults import Faults


class Settings(Checked, frozen=True, kw_only=True):
    """What all accounts and Regions of a simulator share.

    Attributes:
        seed: of every draw.
        account_id: whose the requests are whose access key id is not an account id.
        epoch: virtual second 0 in seconds since the epoch.
        quota_per_second: Lambda requests a virtual second; None for no quota.
        burst: tokens that the quota's bucket holds.
        settle_scale: multiplies every settle time; 0 settles at once.
        whole_stamps: show LastModified in milliseconds for every source type. Lambda is less kind: Get, List and Delete
            cut that of Kinesis and DynamoDB mappings to the whole minute (F§0.2).
        switches_scaling: accept that one call clears a queue's ScalingConfig and sets its ProvisionedPollerConfig, or
            the other way round, which nobody has seen Lambda do.
        newer: dotted paths that this Lambda knows beyond botocore's model, such as `ScalingConfig.Mode`; a parameter
            that the model has is held to its types alone, not to its words and bounds.
        faults: what goes wrong.
    """

    seed: int = 1
    account_id: str = "123456789012"
    epoch: NotNegative = 1_760_000_000.0
    quota_per_second: NotNegative | None = 15.0
    burst: NotNegative = 15.0
    settle_scale: NotNegative = 1.0
    whole_stamps: bool = False
    switches_scaling: bool = False
    newer: frozenset[str] = frozenset()
    faults: Faults = Faults()
