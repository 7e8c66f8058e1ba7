"""The model of the flash-attention page: numpy and pure functions, fast enough to follow a slider."""

from core.topics.flash_attention.model.plan import Plan, plan

__all__ = ["Plan", "plan"]
