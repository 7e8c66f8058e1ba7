"""Benchmarks, printed as tables by `make bench`. Not tests: a slow machine does not fail them."""
