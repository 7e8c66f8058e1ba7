"""A decoder result without a run: random numbers where the masks allow a change."""

from __future__ import annotations

import numpy as np

from core.contracts.result import Environment, Metric, Provenance
from core.topics.decoder.params import DecoderParams
from core.topics.decoder.plan import plan
from core.topics.decoder.result import Attention, DecoderResult, Influence, MemoryGradient

NORMS = {"whole": 4.0, "k": 2.0, "v": 3.0, "neither": 0.0}


def decoder_result(params: DecoderParams) -> DecoderResult:
    """Every array of a run of an encoder-decoder, with one metric of each provenance that the page asks for."""
    planned, rng = plan(params), np.random.default_rng(0)
    source, target = (len(planned.inputs.labels(stack)) for stack in ("source", "target"))

    def random(*shape: int) -> np.ndarray:
        return rng.random(shape, dtype=np.float32)

    return DecoderResult(
        params=params,
        environment=Environment("cpu", "test"),
        metrics={
            "perturbation.positions": Metric(1.0, "", Provenance.TRACED),
            "self.row_sum_error": Metric(1e-7, "", Provenance.TRACED),
            "gradient.whole": Metric(4.0, "", Provenance.MEASURED_CPU),
            "past.cells": Metric(1.0, "pairs", Provenance.MEASURED_CPU),
        },
        tensors={node.id: rng.standard_normal((node.length, 128), dtype=np.float32) for node in planned.flow.nodes},
        changes={name: random(len(reach)) * reach for name, reach in planned.reach.items()},
        attentions={
            "self": Attention(random(params.heads, target, target)),
            "cross": Attention(random(params.heads, target, source)),
        },
        influence=Influence(target=np.triu(random(target, target)), source=random(source, target)),
        gradient=MemoryGradient(*(random(target, source) for _ in range(3)), norms=NORMS),
    )
