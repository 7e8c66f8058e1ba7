"""The page of the training stages."""

from gui.pages.training.page import TrainingPage

__all__ = ["TrainingPage"]
