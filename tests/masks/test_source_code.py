"""The emitted source, executed: it must give the same matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from torch.nn.attention.flex_attention import create_mask

from core.masks import Layout, Mask, TileClass, parse, tile_classes, visible_matrix
from core.masks.presets import PRESET_IDS
from core.masks.source_code import flex_mask_mod, torch_bool_tensor, transformers_mask
from core.topics.masks.params import MasksParams
from core.topics.masks.plan import plan
from tests.masks.compositions import layouts, masks


def _executed(source: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(source, "<emitted>", "exec"), names)
    return names


def _ours(mask: Mask, sequences: tuple[Layout, ...]) -> np.ndarray[Any, Any]:
    return np.stack([visible_matrix(mask, layout) for layout in sequences])[:, None]


def _assert_all_equal(mask: Mask, sequences: tuple[Layout, ...], *, flex: bool) -> None:
    expected = _ours(mask, sequences)
    np.testing.assert_array_equal(_executed(torch_bool_tensor(mask, sequences))["mask"].numpy(), expected)
    np.testing.assert_array_equal(_executed(transformers_mask(mask, sequences))["attention_mask"].numpy(), expected)
    if flex:
        names = _executed(flex_mask_mod(mask, sequences))
        size = {"B": len(sequences), "H": 1, "Q_LEN": expected.shape[2], "KV_LEN": expected.shape[3], "device": "cpu"}
        np.testing.assert_array_equal(create_mask(names["mask_mod"], **size).numpy(), expected)
        assert names["block_mask"].shape[-2:] == expected.shape[-2:]


@pytest.mark.parametrize("preset", PRESET_IDS)
def test_that_the_source_of_a_preset_makes_the_same_mask(preset: str) -> None:
    planned = plan(MasksParams(preset=preset))
    _assert_all_equal(planned.mask, planned.positions.layouts, flex=True)


@pytest.mark.parametrize("key_len", [7, 40, 63])
def test_that_lengths_that_differ_are_aligned_at_their_ends(key_len: int) -> None:
    mask = parse("causal & (window(9) | prefix(2)) & ahead(3) & ~padded_queries")
    _assert_all_equal(mask, (Layout.of(40, key_len),), flex=True)


@settings(max_examples=40, deadline=None)
@given(mask=masks, layout=layouts)
def test_that_the_source_of_any_composition_makes_the_same_mask(mask: Mask, layout: Layout) -> None:
    _assert_all_equal(mask, (layout,), flex=False)


@pytest.mark.parametrize("preset", PRESET_IDS)
def test_that_tiles_are_those_of_flex_attention(preset: str) -> None:
    planned = plan(MasksParams(preset=preset, seq_len=192, key_len=256 if preset == "t5-cross" else 192))
    block_mask = _executed(flex_mask_mod(planned.mask, planned.positions.layouts, 64, 32))["block_mask"]

    for row, layout in enumerate(planned.positions.layouts):
        batch = min(row, block_mask.kv_num_blocks.shape[0] - 1)
        classes = tile_classes(planned.mask, layout, 64, 32)
        flex_classes = np.full(classes.shape, TileClass.EMPTY)
        for kind, numbers, indices in (
            (TileClass.PARTIAL, block_mask.kv_num_blocks, block_mask.kv_indices),
            (TileClass.FULL, block_mask.full_kv_num_blocks, block_mask.full_kv_indices),
        ):
            for q_block, number in enumerate(numbers[batch, 0].tolist()):
                flex_classes[q_block, indices[batch, 0, q_block, :number].numpy()] = kind
        np.testing.assert_array_equal(classes, flex_classes)
