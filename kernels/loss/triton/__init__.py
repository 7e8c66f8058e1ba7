"""The Triton kernels of the losses, of PyTorch's operators for comparison, and their shared steps."""
