"""What a person sees. Knows core; never torch, triton or kernels."""
