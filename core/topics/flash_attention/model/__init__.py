"""The model of the flash-attention page: numpy and pure functions, fast enough to follow a slider."""

from core.topics.flash_attention.model.paper import PaperModel, paper_model
from core.topics.flash_attention.model.plan import Plan, plan
from core.topics.flash_attention.model.softmax import RowSoftmax, row_softmax

__all__ = ["PaperModel", "Plan", "RowSoftmax", "paper_model", "plan", "row_softmax"]
