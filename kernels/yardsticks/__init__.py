"""What a device does at most: kernels that only move bytes, for comparison with kernels that do some work."""
