"""The page dialogue: which tokens of a conversation does a model learn from?"""

from gui.pages.dialogue.page import DialoguePage

__all__ = ["DialoguePage"]
