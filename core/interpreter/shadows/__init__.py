"""Doubtful numbers, followed to where they do harm.

An undefined lane, an offset that wraps or a quotient by zero is no fault as long as a mask drops it. So a kernel that
is sanitized gets a shadow beside each value that such a number can reach: 0, or the id of the doubt per element.
Shadows are values of the IR like others (`instrument`), so that loops, branches and lanes carry them; what no doubt can
reach has none. Where a shadow reaches memory that is accessed, or a branch, the doubt becomes a finding (`doubts`).
Promises to the compiler are checked on the way (`hints`, `vectors`). Floats have shadows only in a second look at a
launch that stored NaN or infinity (`floats`, `core.interpreter.second_look`).
"""
