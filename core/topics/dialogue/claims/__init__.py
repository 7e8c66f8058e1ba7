"""Claims that are taught about training on conversations, each with its test."""

from core.topics.dialogue.claims.mistakes import MISTAKE_CLAIMS
from core.topics.dialogue.claims.packing import PACKING_CLAIMS
from core.topics.dialogue.claims.ways import WAY_CLAIMS

CLAIMS = (*WAY_CLAIMS, *MISTAKE_CLAIMS, *PACKING_CLAIMS)

__all__ = ["CLAIMS"]
