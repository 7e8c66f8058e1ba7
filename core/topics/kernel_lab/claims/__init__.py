"""What authors of kernels take for granted, each with the test of it on their own kernel."""

from core.topics.kernel_lab.claims.safety import SAFETY_CLAIMS
from core.topics.kernel_lab.claims.sectors import SECTOR_CLAIMS
from core.topics.kernel_lab.claims.traffic import TRAFFIC_CLAIMS

CLAIMS = (*SAFETY_CLAIMS, *TRAFFIC_CLAIMS, *SECTOR_CLAIMS)

__all__ = ["CLAIMS"]
