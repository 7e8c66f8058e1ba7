"""Compiles Triton launches for a GPU that need not be here, and reads what the compiler says of them.

`record` needs neither torch nor Triton; the rest is for workers.
"""
