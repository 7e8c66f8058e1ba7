"""The Triton kernels of attention, one file per algorithm: three passes, flash, and flash over a mask's tiles."""
