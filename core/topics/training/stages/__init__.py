"""The training stages: what each loop trains on, its loss, its records, its checkpoints.

`configs`, `records`, `answers`, `rule` and `instructions` import no torch. The others run in a worker only.
"""
