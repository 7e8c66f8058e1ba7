"""The page masks: who may look at whom?"""

from gui.pages.masks.page import MasksPage

__all__ = ["MasksPage"]
