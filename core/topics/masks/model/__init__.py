"""The model of the masks page: positions, plan, remarks. numpy only."""

from core.topics.masks.model.plan import Plan, plan
from core.topics.masks.model.positions import Positions
from core.topics.masks.model.remarks import Remark

__all__ = ["Plan", "Positions", "Remark", "plan"]
