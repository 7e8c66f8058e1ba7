"""What readers are taught of FlashAttention, each with the test of it."""

from core.topics.flash_attention.claims.arithmetic import ARITHMETIC_CLAIMS
from core.topics.flash_attention.claims.memory import MEMORY_CLAIMS
from core.topics.flash_attention.claims.speed import SPEED_CLAIMS

CLAIMS = (*ARITHMETIC_CLAIMS, *MEMORY_CLAIMS, *SPEED_CLAIMS)

__all__ = ["CLAIMS"]
