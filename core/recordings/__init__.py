"""Runs of comparisons as data that travels: what a recording holds, and how it is read, filtered, compared and checked.

No torch: the window reads recordings too.
"""
