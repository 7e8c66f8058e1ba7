"""The page fine-tuning: which parameters each method trains."""

from gui.pages.fine_tuning.page import FineTuningPage

__all__ = ["FineTuningPage"]
