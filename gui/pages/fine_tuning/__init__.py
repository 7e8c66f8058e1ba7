"""The page fine-tuning: which parameters move?"""

from gui.pages.fine_tuning.page import FineTuningPage

__all__ = ["FineTuningPage"]
