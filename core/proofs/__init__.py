"""Proofs: what holds for all sizes of a kernel, not only for those of a launch; or a counterexample; or why neither.

`evaluate` follows the kernel's TTIR for one program with symbolic coordinates, `family` reads from the launches what
may vary, `queries` asks z3 (`solving`) about it, and `prove` decides.
"""
