"""What the user sees. Knows core; never torch, triton or kernels."""
