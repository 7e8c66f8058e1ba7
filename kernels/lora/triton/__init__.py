"""The Triton kernels of LoRA's products and AdaLoRA's importance, with their shared steps."""
