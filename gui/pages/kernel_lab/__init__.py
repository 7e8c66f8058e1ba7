"""The kernel-lab page."""

from gui.pages.kernel_lab.page import KernelLabPage

__all__ = ["KernelLabPage"]
