"""What is taught about 4-bit weights, each claim with its test."""

from core.topics.quantization.claims.accuracy import ACCURACY_CLAIMS
from core.topics.quantization.claims.outputs import OUTPUT_CLAIMS
from core.topics.quantization.claims.storage import STORAGE_CLAIMS

CLAIMS = (*STORAGE_CLAIMS, *ACCURACY_CLAIMS, *OUTPUT_CLAIMS)

__all__ = ["CLAIMS"]
