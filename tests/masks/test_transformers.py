"""The presets against Hugging Face's own masks, function by function, and inside small models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from core.masks import visible_matrix
from core.topics.masks.params import MasksParams
from core.topics.masks.plan import Plan, plan

transformers = pytest.importorskip("transformers")
masking = pytest.importorskip("transformers.masking_utils")


def _config(**options: Any) -> Any:
    config = transformers.LlamaConfig(hidden_size=8, num_attention_heads=1, **options)
    config._attn_implementation = "sdpa"
    return config


def _preset(name: str) -> tuple[Plan, np.ndarray[Any, Any]]:
    planned = plan(MasksParams(preset=name))
    return planned, np.stack([visible_matrix(planned.mask, layout) for layout in planned.positions.layouts])[:, None]


def _embeds(planned: Plan) -> torch.Tensor:
    return torch.zeros(len(planned.positions.layouts), planned.layout.query_len, 8)


def _keys(planned: Plan) -> torch.Tensor:
    return torch.from_numpy(np.stack([layout.keys.real for layout in planned.positions.layouts])).long()


def _causal(planned: Plan) -> Any:
    return masking.create_causal_mask(_config(), _embeds(planned), None, None, allow_is_causal_skip=False)


def _padded(planned: Plan) -> Any:
    return masking.create_bidirectional_mask(_config(), _embeds(planned), _keys(planned))


def _causal_padded(planned: Plan) -> Any:
    return masking.create_causal_mask(_config(), _embeds(planned), _keys(planned), None)


def _cross(planned: Plan) -> Any:
    memory = torch.zeros(1, planned.layout.key_len, 8)
    return masking.create_bidirectional_mask(_config(), _embeds(planned), _keys(planned), encoder_hidden_states=memory)


def _prefix(planned: Plan) -> Any:
    def prefix(batch: Any, head: Any, query: Any, key: Any) -> Any:
        return key < 30

    return masking.create_causal_mask(_config(), _embeds(planned), None, None, or_mask_function=prefix)


def _window(planned: Plan) -> Any:
    config = _config()
    config.sliding_window = 12
    return masking.create_sliding_window_causal_mask(config, _embeds(planned), None, None)


def _packed(planned: Plan) -> Any:
    """Packing as transformers knows it: positions that begin again at 0."""
    documents = planned.layout.keys.documents
    starts = np.searchsorted(documents, documents)
    positions = torch.from_numpy(np.arange(documents.size) - starts)[None]
    return masking.create_causal_mask(_config(), _embeds(planned), None, None, position_ids=positions)


def _turns(planned: Plan) -> Any:
    blocks = torch.from_numpy(planned.layout.keys.turns.astype(np.int64))[None]
    return masking.create_causal_mask(_config(), _embeds(planned), None, None, block_sequence_ids=blocks)


@pytest.mark.parametrize(
    ("preset", "theirs"),
    [
        ("causal", _causal),
        ("bert-padding", _padded),
        ("prefix-lm", _prefix),
        ("t5-encoder", _padded),
        ("t5-decoder", _causal_padded),
        ("t5-cross", _cross),
        ("mistral-window", _window),
        ("packed-documents", _packed),
        ("dialogue-turns", _turns),
    ],
)
def test_that_a_preset_is_the_mask_that_transformers_makes(preset: str, theirs: Callable[[Plan], Any]) -> None:
    planned, ours = _preset(preset)
    assert 0 < ours.sum() < ours.size
    reference = theirs(planned)
    assert reference.dtype == torch.bool
    np.testing.assert_array_equal(reference.expand(ours.shape).numpy(), ours)


@pytest.mark.parametrize(("preset", "model"), [("bert-padding", "Bert"), ("mistral-window", "Mistral")])
def test_that_a_model_computes_the_same_with_our_mask_as_with_its_own(preset: str, model: str) -> None:
    planned, ours = _preset(preset)
    small = {"hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 2, "intermediate_size": 16}
    more = {"sliding_window": 12, "num_key_value_heads": 1} if model == "Mistral" else {}
    torch.manual_seed(0)
    config = getattr(transformers, f"{model}Config")(vocab_size=50, **small, **more)
    network = getattr(transformers, f"{model}Model")(config).eval()
    tokens = torch.randint(0, 50, (ours.shape[0], ours.shape[-1]))

    with torch.no_grad():
        by_itself = network(tokens, attention_mask=_keys(planned)).last_hidden_state
        given = network(tokens, attention_mask=torch.from_numpy(ours)).last_hidden_state
        without = network(tokens, attention_mask=torch.ones_like(torch.from_numpy(ours))).last_hidden_state

    torch.testing.assert_close(given, by_itself, atol=1e-5, rtol=1e-5)
    assert float((given - without).abs().max()) > 1e-3
