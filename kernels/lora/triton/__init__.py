"""The Triton kernels of LoRA's products and of AdaLoRA's importance, with the steps that they share."""
