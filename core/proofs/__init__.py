"""Proofs: what holds for all sizes of a kernel, not only for those of a launch; or a counterexample; or why neither.

`evaluate` follows the kernel's TTIR for one program with symbolic coordinates, `family` reads from the launches what
may vary, `queries` asks z3 (`solving`) about it, `search` looks for assumptions and `examples` for counterexamples, and
`prove` decides. `products` is how products of sizes are decided: matrices, grouped programs and persistent loops.
"""
