"""The model of kernel-lab: what a file holds, read and never run."""

from core.topics.kernel_lab.model.paths import resolved, shown
from core.topics.kernel_lab.model.plan import Plan, plan
from core.topics.kernel_lab.model.source import Function, Source, read_source

__all__ = ["Function", "Plan", "Source", "plan", "read_source", "resolved", "shown"]
