"""The page of compare."""

from gui.pages.compare.page import ComparePage

__all__ = ["ComparePage"]
