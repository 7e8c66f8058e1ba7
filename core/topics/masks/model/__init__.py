"""The model of the masks page: positions, plan, remarks. numpy only."""

from core.topics.masks.model.mask_warnings import Remark
from core.topics.masks.model.plan import Plan, plan
from core.topics.masks.model.positions import Positions

__all__ = ["Plan", "Positions", "Remark", "plan"]
