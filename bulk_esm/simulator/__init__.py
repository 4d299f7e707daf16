"""A Lambda control plane for event source mappings on loopback: a test double, a playground and a yardstick.

Real clients talk to it. It keeps Lambda's quota, states, settle times and refusals, and injects faults on demand.
"""

from bulk_esm.simulator.errors import ApiError
from bulk_esm.simulator.faults import Denial, Faults
from bulk_esm.simulator.fleet import Fleet, make_fleet
from bulk_esm.simulator.report import AcceptedUpdate, Kind, MappingReport, Report, RequestCount
from bulk_esm.simulator.server import Simulator
from bulk_esm.simulator.spoils import Spoil
from bulk_esm.simulator.traffic import Traffic

__all__ = [
    "AcceptedUpdate",
    "ApiError",
    "Denial",
    "Faults",
    "Fleet",
    "Kind",
    "MappingReport",
    "Report",
    "RequestCount",
    "Simulator",
    "Spoil",
    "Traffic",
    "make_fleet",
]
