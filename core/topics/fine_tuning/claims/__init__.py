"""What is taught about fine-tuning methods, each with the test of it."""

from core.topics.fine_tuning.claims.four_bits import FOUR_BIT_CLAIMS
from core.topics.fine_tuning.claims.prompts import PROMPT_CLAIMS

CLAIMS = (*PROMPT_CLAIMS, *FOUR_BIT_CLAIMS)

__all__ = ["CLAIMS"]
