"""Hostile input for everything that Tilescope reads, and processes that die: a fixed seed, a time limit, a table.

`python -m tests.robustness` (or `make robustness`) tries every kind and prints a table; it exits 1 if there is a fault.
docs/reliability.md says what is promised. Each attempt has a number and its own random numbers, made from the seed, the
kind and the number: `python -m tests.robustness checkpoints --only 17` repeats one.

To add a kind: a module with `attempts(number, rng, folder)`, and a line in `KINDS` of __main__.py.
"""
