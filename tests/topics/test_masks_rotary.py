"""What rotary embeddings make of position ids: nothing where distances stay, something where they change."""

from __future__ import annotations

import pytest
import torch

from core.masks.position_ids import Counting
from core.topics.masks.experiment.metrics import position_metrics
from core.topics.masks.experiment.problem import make_problem
from core.topics.masks.experiment.rotary import rotary_changes, rotated
from core.topics.masks.params import MasksParams
from core.topics.masks.plan import plan


def changes(**values: object) -> dict[Counting, float]:
    planned = plan(MasksParams.parse({"heads": 1, **values}))
    problem = make_problem(planned, "cpu")
    found = rotary_changes(problem, planned)
    metrics = position_metrics(planned, found, "cpu")
    for way, change in found.items():
        changed_pairs = metrics[f"positions.{way}.changed_pairs"].value
        assert (changed_pairs > 0) == (change > 1e-3), "scores change exactly where distances do"
    return found


def test_that_rotary_scores_do_not_see_left_padding() -> None:
    (change,) = changes(query_text="<pad> <pad> <pad> a b c d e", expression="causal & ~padding").values()
    assert 0 < change < 1e-4


def test_that_a_reset_changes_scores_only_across_documents() -> None:
    apart = changes(preset="packed-documents")[Counting.DOCUMENT]
    mixed = changes(preset="packed-documents", expression="causal")[Counting.DOCUMENT]
    assert apart < 1e-4 < 0.1 < mixed


def test_that_the_last_positions_of_a_cache_are_rotated_as_such() -> None:
    assert changes(query_text="<pad> <pad> a b c d", seq_len=2, key_len=6)[Counting.TOKENS] < 1e-4
    assert changes(preset="t5-cross") == {}


def test_that_rotation_is_the_one_of_llama() -> None:
    modeling = pytest.importorskip("transformers.models.llama.modeling_llama")
    q, positions = torch.randn(5, 8, generator=torch.Generator().manual_seed(0)), torch.tensor([3, 0, 1, 7, 100])
    angles = positions[:, None] * 10000.0 ** (-torch.arange(4) / 4)
    cos, sin = (torch.cat((part, part), 1)[None] for part in (angles.cos(), angles.sin()))
    theirs, _ = modeling.apply_rotary_pos_emb(q[None, None], q[None, None], cos, sin)
    torch.testing.assert_close(rotated(q, positions), theirs[0, 0])
