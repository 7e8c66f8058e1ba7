"""Attention: the reference, the standard three passes, flash, and PyTorch's own."""

from kernels.attention.api import AttentionOutput, Impl, Timeline, attention, available

__all__ = ["AttentionOutput", "Impl", "Timeline", "attention", "available"]
