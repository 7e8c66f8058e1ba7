"""The view data of the decoder: nothing overlaps, nothing is missing, zeros are exact."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.topics.decoder.params import DecoderParams
from core.topics.decoder.plan import plan
from core.topics.decoder.result import Attention, DecoderResult, Influence
from gui.pages.decoder import highlights, view_data
from gui.pages.decoder.flow_graph import Box, edge_id
from gui.pages.decoder.layout import diagram_of, shown_place
from tests.gui.pages.decoder.decoder_result import NORMS

KINDS = ("encoder-decoder", "decoder-only", "encoder-only")
params_of = st.builds(
    DecoderParams,
    kind=st.sampled_from(KINDS),
    norm=st.sampled_from(("post-norm", "pre-norm")),
    encoder_layers=st.integers(1, 4),
    heads=st.sampled_from((1, 8)),
    padding=st.integers(0, 3),
    causal=st.booleans(),
    perturb=st.sampled_from(("none", "source", "target")),
)
DEFAULT = DecoderParams()


def with_changes(**changes: np.ndarray) -> DecoderResult:
    return DecoderResult(params=DEFAULT, changes=changes)


@settings(max_examples=80, deadline=None)
@given(params_of)
def test_that_every_diagram_is_whole_and_its_boxes_are_apart(params: DecoderParams) -> None:
    planned = plan(params)
    graph = diagram_of(planned)
    assert len({edge.id for edge in graph.edges}) == len(graph.edges)
    for a, b in combinations([node.box for node in graph.nodes], 2):
        assert _apart(a, b)
    if graph.note is not None:
        assert all(_apart(graph.note, node.box) for node in graph.nodes)
    for node in planned.flow.nodes:
        assert shown_place(planned, graph, node.id) in graph.by_id
    for edge in graph.edges:
        assert graph.by_id[edge.start].box.contains(edge.points[0], 0.5)
        assert graph.by_id[edge.end].box.contains(edge.points[-1], 0.5)
        assert all(a[0] == b[0] or a[1] == b[1] for a, b in pairwise(edge.points))
        assert edge.label == planned.flow.node(edge.start).shape


@settings(max_examples=40, deadline=None)
@given(params_of)
def test_that_no_arrow_runs_through_a_box_that_it_does_not_join(params: DecoderParams) -> None:
    graph = diagram_of(plan(params))
    for edge in graph.edges:
        for node in graph.nodes:
            if node.id not in (edge.start, edge.end):
                for a, b in pairwise(edge.points):
                    assert not _crosses(a, b, node.box), (edge.id, node.id)


def test_that_k_and_v_of_cross_attention_come_from_memory_and_q_from_the_decoder() -> None:
    ids = {edge.id for edge in diagram_of(plan(DEFAULT)).edges}
    assert {edge_id("memory", f"decoder.cross.{letter}") for letter in "kv"} <= ids
    assert edge_id("decoder.self.norm", "decoder.cross.q") in ids
    assert edge_id("memory", "decoder.cross.q") not in ids


def test_that_before_a_run_light_is_what_the_masks_allow_and_no_number_is_shown() -> None:
    planned = plan(DEFAULT)
    lit = highlights.change_highlights(planned, diagram_of(planned), {})
    output = lit["output"]
    assert output.cells == (0, 0, 0, 1, 1, 1, 1)
    assert not output.sure
    assert output.text == ""
    assert "modelled" in output.tip
    assert lit["memory"].amount == 0
    assert lit[edge_id("memory", "decoder.cross.k")].amount == 0


def test_that_a_run_lights_what_moved_and_calls_the_rest_exactly_zero() -> None:
    planned = plan(DEFAULT)
    change = np.array([0, 0, 0, 4.0, 1.0, 0.25, 0.0625], np.float32)
    result = with_changes(output=change, memory=np.zeros(9, np.float32))
    lit = highlights.change_highlights(planned, diagram_of(planned), result.changes)
    assert lit["output"].text == "4"
    assert lit["output"].cells == pytest.approx((0, 0, 0, 1, 0.5, 0.25, 0.125))
    assert "4 of 7 positions" in lit["output"].tip
    assert "the other 3: exactly 0" in lit["output"].tip
    assert (lit["memory"].amount, lit["memory"].text) == (0, "exactly 0")
    headline, sentences = highlights.change_note(planned, result.changes)
    assert headline == "4 of 7 positions of the output change"
    assert sentences == "'on' (target 3) is replaced by <other>. The other 3 change by exactly 0."
    row = view_data.strip_rows(planned, result)[-1]
    assert [cell.text for cell in row.cells] == ["exactly 0"] * 3 + ["4", "1", "0.250", "0.0625"]
    assert [cell.amount for cell in row.cells[:4]] == [0, 0, 0, 1]


def test_that_the_smallest_change_there_is_is_no_zero() -> None:
    planned = plan(DEFAULT)
    tiny = np.zeros(7, np.float32)
    tiny[6] = np.nextafter(np.float32(0), np.float32(1))
    result = with_changes(output=tiny)
    assert highlights.change_note(planned, result.changes)[0].startswith("1 of 7")
    assert view_data.strip_rows(planned, result)[-1].cells[6].text != "exactly 0"
    assert highlights.change_highlights(planned, diagram_of(planned), result.changes)["output"].cells[6] > 0


def test_that_the_gradient_lights_the_ways_through_k_and_v_alone() -> None:
    planned = plan(DEFAULT)
    graph = diagram_of(planned)
    lit = highlights.gradient_highlights(graph, NORMS)
    assert lit[edge_id("memory", "decoder.cross.k")].text == "2"
    assert lit[edge_id("memory", "decoder.cross.v")].text == "3"
    assert (lit["decoder.cross.q"].amount, lit["decoder.cross.q"].text) == (0, "exactly 0")
    assert "elsewhere: exactly 0" in highlights.gradient_note(planned, NORMS)[1]
    assert highlights.gradient_highlights(graph, {}) == {}
    alone = plan(DecoderParams(kind="decoder-only"))
    assert highlights.gradient_highlights(diagram_of(alone), NORMS) == {}


def test_that_the_boxes_share_all_parameters_out() -> None:
    for kind in KINDS:
        planned = plan(DecoderParams(kind=kind))
        lit = highlights.cost_highlights(planned, diagram_of(planned))
        assert sum(int(highlight.text.replace(",", "")) for highlight in lit.values()) == planned.parameters


@pytest.mark.parametrize("kind", KINDS)
def test_that_a_click_changes_that_very_token_and_again_puts_it_back(kind: str) -> None:
    planned = plan(DecoderParams(kind=kind, perturb="none"))
    for stack in ("source", "target"):
        for position, label in enumerate(planned.inputs.labels(stack)):
            changed = planned.with_token_changed(stack, position)
            if label == "<pad>":
                assert changed is None
                continue
            assert changed is not None
            what = plan(changed).perturbation
            assert what is not None
            assert (what.stack, what.position, what.before) == (stack, position, label)
            back = plan(changed).with_token_changed(stack, position)
            assert back is not None
            assert back.perturb == "none"


def test_that_the_effect_of_every_token_answers_at_once_where_a_run_had_it() -> None:
    influence = np.arange(49, dtype=np.float32).reshape(7, 7)
    planned = plan(DEFAULT.changed(position=5))
    result = DecoderResult(params=DEFAULT, influence=Influence(target=influence))
    row = view_data.strip_rows(planned, result)[-1]
    assert [cell.amount for cell in row.cells] == pytest.approx(list(influence[5] / influence[5].max()))


@pytest.mark.parametrize("kind", KINDS)
def test_that_maps_and_tensors_have_the_labels_of_their_tokens(kind: str) -> None:
    planned = plan(DecoderParams(kind=kind, heads=2))
    rng = np.random.default_rng(0)
    self_name, cross_name = view_data.attention_names(planned)
    for name in filter(None, (self_name, cross_name)):
        (mask,) = view_data.attention_pages(planned, name, None)
        weights = rng.random((2, *mask.shape), dtype=np.float32)
        pages = view_data.attention_pages(
            planned, name, DecoderResult(params=planned.params, attentions={name: Attention(weights)})
        )
        assert [page.shape for page in pages] == [(len(mask.rows), len(mask.columns))] * 2
    for node in planned.flow.nodes:
        run = DecoderResult(params=planned.params, tensors={node.id: rng.random((node.length, 32))})
        (page,) = view_data.tensor_page(planned, node.id, run)
        assert len(page.rows) == node.length
    assert view_data.tensor_page(planned, "nothing", None) == []


def test_that_a_wide_tensor_says_which_elements_a_column_stands_for() -> None:
    assert view_data.elements(4, 4) == ("0", "1", "2", "3")
    assert view_data.elements(256, 128)[1] == "2..3 (mean)"
    assert view_data.elements(3, 2) == ("0", "1..2 (mean)")


def _apart(a: Box, b: Box) -> bool:
    beside = a.x + a.width <= b.x or b.x + b.width <= a.x
    return beside or a.y + a.height <= b.y or b.y + b.height <= a.y


def _crosses(a: tuple[float, float], b: tuple[float, float], box: Box) -> bool:
    """Whether a level or upright line goes through the inside of a box."""
    across = min(a[0], b[0]) < box.x + box.width and max(a[0], b[0]) > box.x
    return across and min(a[1], b[1]) < box.y + box.height and max(a[1], b[1]) > box.y
