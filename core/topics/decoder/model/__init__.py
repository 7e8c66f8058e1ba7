"""The model of the decoder page: numpy and pure functions, fast enough to follow typing."""

from core.topics.decoder.model.flow import Edge, Flow, Node
from core.topics.decoder.model.inputs import Inputs, Perturbation
from core.topics.decoder.model.plan import Part, Plan, plan

__all__ = ["Edge", "Flow", "Inputs", "Node", "Part", "Perturbation", "Plan", "plan"]
