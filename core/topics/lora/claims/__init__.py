"""Claims that are taught about LoRA and AdaLoRA, each with its test."""

from core.topics.lora.claims.adalora import ADALORA_CLAIMS
from core.topics.lora.claims.lora import LORA_CLAIMS

CLAIMS = (*LORA_CLAIMS, *ADALORA_CLAIMS)

__all__ = ["CLAIMS"]
