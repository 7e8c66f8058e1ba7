"""From parameters to what the page draws: texts, batches, unusual input and the warnings about it."""

from __future__ import annotations

import numpy as np
import pytest

from core.contracts.errors import InvalidParams
from core.masks import TileClass, parse, visible_matrix
from core.masks.presets import PRESET_IDS
from core.masks.tokens import tokenise
from core.topics.masks import TOPIC
from core.topics.masks.params import MasksParams
from core.topics.masks.plan import Plan, check, plan, score_count
from tests.yardstick import cpu_loops


def planned(**values: object) -> Plan:
    return plan(MasksParams.parse(values))


def warning_ids(mask_plan: Plan) -> set[str]:
    return {warning.id for warning in mask_plan.warnings}


@pytest.mark.parametrize("preset", PRESET_IDS)
def test_that_every_preset_shows_something_and_hides_something(preset: str) -> None:
    mask_plan = planned(preset=preset)

    assert 0 < mask_plan.cost.visible_cells < mask_plan.cost.cells
    assert len(mask_plan.positions.query_labels) == mask_plan.layout.query_len == mask_plan.row_counts.size
    assert len(mask_plan.positions.key_labels) == mask_plan.layout.key_len
    assert mask_plan.is_cross == (preset == "t5-cross")
    assert not {warning for warning in warning_ids(mask_plan) if warning in ("everything-masked", "nothing-masked")}
    assert all(str(warning.text) for warning in mask_plan.warnings)


@pytest.mark.parametrize("preset", PRESET_IDS)
def test_that_the_work_of_a_run_is_counted_without_its_mask(preset: str) -> None:
    mask_plan = planned(preset=preset, heads=3)
    assert score_count(mask_plan.params) == 3 * mask_plan.cost.cells


@pytest.mark.parametrize("preset", PRESET_IDS)
def test_that_a_preset_keeps_its_proportions_when_stretched(preset: str) -> None:
    short = planned(preset=preset)
    long = planned(preset=preset, seq_len=16 * short.layout.query_len, key_len=16 * short.layout.key_len)
    assert long.cost.sparsity == pytest.approx(short.cost.sparsity, abs=0.03)


def test_that_tiles_cells_and_rows_agree() -> None:
    mask_plan = planned(preset="packed-documents", seq_len=200, block_q=32, block_kv=16)
    whole = visible_matrix(mask_plan.mask, mask_plan.layout)

    assert mask_plan.tiling.counts.sum() == mask_plan.row_counts.sum() == whole.sum()
    np.testing.assert_array_equal(mask_plan.cells(np.arange(200), np.arange(200)), whole)
    np.testing.assert_array_equal(mask_plan.raster((0, 200), (0, 200), 999, 999), whole)
    steps = mask_plan.schedule
    np.testing.assert_array_equal(np.sort(steps[:, 0]), steps[:, 0])
    visited = np.zeros_like(mask_plan.tiling.classes)
    visited[steps[:, 0], steps[:, 2]] = 1
    np.testing.assert_array_equal(visited, mask_plan.tiling.classes != TileClass.EMPTY)


def test_that_tiles_never_claim_to_save_more_than_the_mask_hides() -> None:
    for length in (1, 17, 63, 64, 1000):
        for preset in PRESET_IDS:
            cost = planned(preset=preset, seq_len=length).cost
            assert cost.share_of_flops_saved <= cost.sparsity + 1e-12
            assert cost.flops_saved == cost.dense_flops - cost.tile_flops
    ragged = planned(seq_len=17)
    assert ragged.cost.flops_saved < 0
    assert "tiles-cost-more" in warning_ids(ragged)


def test_that_flops_and_bytes_are_counted_as_the_formulas_say() -> None:
    cost = planned(seq_len=64, heads=3, head_dim=32, dtype="bf16").cost
    assert (cost.cells, cost.visible_cells, cost.full_tiles, cost.partial_tiles) == (4096, 2080, 6, 4)
    assert cost.dense_flops == 4 * 32 * 3 * 4096
    assert cost.tile_flops == 4 * 32 * 3 * 10 * 256
    assert cost.tile_bytes == 2 * 3 * 32 * 2 * (64 + 10 * 16)


def test_that_markers_set_pads_documents_and_turns() -> None:
    text = "<system> hi <user> <doc> a b <eos> <doc> 你好 <eos> c <pad>"
    mask_plan = planned(query_text=text, expression="documents & turns & ~padding")

    assert mask_plan.positions.query_labels[:4] == ("<system>", "hi", "<user>", "<doc>")
    assert mask_plan.layout.keys.turns.tolist() == [0, 0] + [1] * 11
    assert mask_plan.layout.keys.documents.tolist() == [0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3]
    assert mask_plan.layout.keys.real.tolist() == [True] * 12 + [False]


def test_that_lengths_make_a_batch_whose_pads_are_hidden() -> None:
    mask_plan = planned(query_text="a b c d e", expression="~padding", lengths="5, 2;0", sequence=1)

    assert [int(layout.keys.real.sum()) for layout in mask_plan.positions.layouts] == [5, 2, 0]
    assert mask_plan.row_counts.tolist() == [2] * 5
    assert mask_plan.cost.visible_cells == 25 + 10


def test_that_document_lengths_replace_the_markers() -> None:
    mask_plan = planned(query_text="a b c d e f", expression="documents", documents="2 3")
    assert mask_plan.layout.keys.documents.tolist() == [0, 0, 1, 1, 1, 2]


def test_that_queries_are_the_last_keys_as_with_a_cache() -> None:
    mask_plan = planned(query_text="a b c d", seq_len=1, key_len=4, expression="causal & window(2)")
    assert mask_plan.positions.query_labels == ("d",)
    assert mask_plan.cells(np.array([0]), np.arange(4)).tolist() == [[False, False, True, True]]


@pytest.mark.parametrize(
    ("values", "warning"),
    [
        ({"query_text": "  \n "}, "query_text-empty"),
        ({"query_text": "a b", "expression": "causal & window(0)"}, "window-zero"),
        ({"query_text": "a b", "expression": "causal & window(0)"}, "everything-masked"),
        ({"expression": "causal & ~causal"}, "everything-masked"),
        ({"query_text": "a b c", "expression": "prefix(9)"}, "prefix-too-long"),
        ({"query_text": "a b c", "expression": "all"}, "nothing-masked"),
        ({"query_text": "a b <pad>", "expression": "causal"}, "pads-visible"),
        ({"query_text": "a b", "expression": "~padding"}, "no-pads"),
        ({"query_text": "a b", "expression": "documents"}, "one-document"),
        ({"query_text": "a b", "expression": "turns"}, "one-turn"),
        ({"seq_len": 9, "key_len": 3}, "rows-masked"),
        ({"seq_len": 9, "key_len": 3}, "more-queries-than-keys"),
        ({"seq_len": 9, "key_len": 3}, "lengths-differ"),
        ({"seq_len": 3, "key_len": 9, "expression": "causal_top_left"}, "lengths-differ"),
        ({"seq_len": 3, "key_len": 9, "expression": "window(2)"}, "lengths-differ"),
        ({"preset": "t5-cross"}, "lengths-differ"),
        ({"preset": "mistral-window"}, "window-convention"),
        ({"query_text": "<doc> a b <doc> c d", "expression": "causal"}, "documents-visible"),
        ({"preset": "packed-documents", "documents": "10 20"}, "document-lengths"),
        ({"preset": "packed-documents", "documents": "10 200"}, "document-lengths"),
        ({"query_text": "<pad> <pad> a b"}, "position-ids-tokens"),
        ({"query_text": "a <pad> b"}, "position-ids-tokens"),
        ({"preset": "packed-documents"}, "position-ids-document"),
        ({"query_text": "a b c", "lengths": "2, 7"}, "lengths-clipped"),
        ({"query_text": "a b c", "lengths": "2, 3", "sequence": 5}, "sequence-missing"),
        ({"expression": " & ".join(f"window({n})" for n in range(1, 8))}, "too-many-terms"),
    ],
)
def test_that_unusual_input_is_shown_with_a_warning(values: dict[str, object], warning: str) -> None:
    mask_plan = planned(**values)
    assert warning in warning_ids(mask_plan)
    numbers = [
        mask_plan.cost.sparsity,
        mask_plan.cost.share_of_flops_saved,
        *mask_plan.raster((0, 99), (0, 99), 9, 9).ravel(),
    ]
    assert np.all(np.isfinite(numbers))


@pytest.mark.parametrize(
    ("values", "absent"),
    [
        ({}, "lengths-differ"),
        ({"preset": "packed-documents"}, "documents-visible"),
        ({"query_text": "<doc> a b <doc> c d", "expression": "causal & window(1)"}, "documents-visible"),
        ({"preset": "packed-documents", "documents": "30 34"}, "document-lengths"),
        ({"query_text": "a b <pad> <pad>"}, "position-ids-tokens"),
        ({"preset": "t5-cross", "query_text": "<pad> a", "key_text": "<pad> <pad> b"}, "position-ids-tokens"),
    ],
)
def test_that_usual_input_has_no_such_remark(values: dict[str, object], absent: str) -> None:
    assert absent not in warning_ids(planned(**values))


def test_that_the_remark_on_alignment_counts_the_cells_that_differ() -> None:
    for expression in ("causal", "causal_top_left", "causal & window(3)"):
        mask_plan = planned(seq_len=5, key_len=9, expression=expression)
        swap = {"causal": "causal_top_left", "causal_top_left": "causal"}
        name, *rest = expression.split(" & ")
        other = parse(" & ".join([swap[name], *rest]))
        unlike = visible_matrix(mask_plan.mask, mask_plan.layout) != visible_matrix(other, mask_plan.layout)
        text = next(str(warning.text) for warning in mask_plan.warnings if warning.id == "lengths-differ")
        assert f"{int(unlike.sum())} cells differ" in text


def test_that_queries_that_are_the_last_keys_have_their_documents() -> None:
    mask_plan = planned(
        query_text="a b c d e f", documents="3 3", seq_len=2, key_len=6, expression="causal & documents"
    )
    assert mask_plan.layout.queries.documents.tolist() == [1, 1]
    assert mask_plan.cells(np.arange(2), np.arange(6)).tolist() == [
        [False, False, False, True, True, False],
        [False, False, False, True, True, True],
    ]


def test_that_the_json_has_the_position_ids_and_the_code_of_the_page() -> None:
    params = MasksParams(query_text="<pad> <pad> a b", expression="causal & ~padding")
    details = TOPIC.json_details(TOPIC.result(params=params))
    assert details["position_ids"] == {"place": [0, 1, 2, 3], "tokens": [0, 0, 0, 1]}
    assert details["code"] == plan(params).code
    assert set(details["code"]) == {"FlexAttention", "SDPA", "flash-attn", "transformers"}


@pytest.mark.parametrize("text", ["ab " * 66_667, "a" * 200_000, "你" * 200_000, "<pad>" * 40_000, "<" * 200_000])
def test_that_200_000_characters_are_kept_cut_and_warned_of(text: str) -> None:
    plans: list[Plan] = []
    loops = cpu_loops(lambda: plans.append(planned(query_text=text, expression="causal & ~padding")), rounds=1)

    (mask_plan,) = plans
    assert mask_plan.params.query_text == text
    assert mask_plan.layout.query_len == 8192
    sentence = next(str(warning.text) for warning in mask_plan.warnings if warning.id == "query_text-cut")
    assert sentence.startswith(f"Of {len(text):,} characters, the first ")
    assert loops < 200  # about 0.5 s, where it takes 0.02: not a benchmark, but that nothing freezes


def test_that_a_longer_text_yet_is_refused_with_a_sentence() -> None:
    with pytest.raises(InvalidParams, match=r"query_text is longer than 262,144 characters"):
        MasksParams.parse({"query_text": "a " * 200_000})


@pytest.mark.parametrize(
    ("values", "field", "sentence"),
    [
        ({"expression": "causal &"}, "expression", r"Expected a term .*, but the expression ends \(at character 9\)"),
        ({"lengths": "3, x"}, "lengths", r"lengths has 'x', which is not a length"),
        ({"lengths": "9" * 50}, "lengths", r"which is not a length"),
        ({"documents": "-3"}, "documents", r"documents has '-3'"),
        ({"lengths": " ".join(["3"] * 33)}, "lengths", r"33 sequences, and the limit is 32"),
    ],
)
def test_that_invalid_values_give_one_sentence_at_their_field(
    values: dict[str, str], field: str, sentence: str
) -> None:
    with pytest.raises(InvalidParams, match=sentence) as caught:
        MasksParams.parse(values)
    assert caught.value.field == field


def test_that_a_run_too_large_for_the_memory_is_refused_before_it_starts() -> None:
    with pytest.raises(InvalidParams, match=r"would need about .* of memory"):
        check(MasksParams(seq_len=8192, heads=64), available_bytes=8 << 30)
    with pytest.raises(InvalidParams, match=r"would take about .* s on a CPU"):
        check(MasksParams(seq_len=8192, heads=64), available_bytes=1 << 50)
    TOPIC.check(MasksParams())


def test_that_tokens_are_labels_and_every_character_is_accounted_for() -> None:
    tokens = tokenise("It's 2 caffè, 东京 <PAD>!", 100)
    assert tokens.labels == ("It's", "2", "caffè", ",", "东", "京", "<PAD>", "!")
    assert tokens.side.real.tolist() == [True] * 6 + [False, True]
    assert not tokens.is_cut
    cut = tokenise("a b c", 2)
    assert (cut.labels, cut.characters_used, cut.is_cut) == (("a", "b"), 4, True)
