"""The clock that leases go by."""

from __future__ import annotations

import sys
import time

import pytest

from bulk_esm.clock import time_with_sleep


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such clock, or another one")
def test_it_goes_on_while_the_machine_sleeps() -> None:
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    now = time_with_sleep()
    assert before <= now <= time.clock_gettime(time.CLOCK_BOOTTIME)
