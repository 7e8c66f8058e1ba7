"""The kernel lab as it was before user code got a process of its own, to measure what that costs."""

from __future__ import annotations

from dataclasses import replace

from core.topics.kernel_lab import TOPIC as _ISOLATED

TOPIC = replace(_ISOLATED, runs_user_code=False)
