"""The places of a transformer: what is lit, what is dark, where it lies, and how it is walked, picked and read out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QRectF, Qt
from PySide6.QtWidgets import QApplication

from core.topics.fine_tuning.result import gradient_range
from core.topics.fine_tuning.trained_modules import Place, place_id
from gui import theme as themes
from gui.pages.fine_tuning.module_map import ModuleMap
from gui.pages.fine_tuning.module_painting import colour_of, frozen_colour, lit_box
from gui.pages.fine_tuning.transformer_grid import TrainedModules, TransformerGrid, strength

KINDS = ("prefix", "attention_norm", "q_proj", "down_proj")


def grid_of(layers: int, kinds: tuple[str, ...] = KINDS) -> TransformerGrid:
    before = [("prefix_encoder", -1, 0), ("prompt", -1, 0), ("embedding", -1, 1000)]
    inside = [(kind, layer, 0 if kind == "prefix" else 100) for layer in range(layers) for kind in kinds]
    after = [("final_norm", -1, 10), ("head", -1, 0), *([("other", -1, 7)] if "other" in kinds else [])]
    return TransformerGrid(
        tuple(
            Place(index, place_id(layer, kind), layer, kind, parameters)
            for index, (kind, layer, parameters) in enumerate((*before, *inside, *after))
        )
    )


GRID = grid_of(2)


def method(norms: bool = True, **trainable: int) -> TrainedModules:
    counts = tuple(trainable.get(place.id.replace(".", "_"), 0) for place in GRID.places)
    values = np.array([0.5 if count else math.nan for count in counts]) if norms else None
    return TrainedModules(counts, values, np.array([0.0 if place.parameters else math.nan for place in GRID.places]))


LORA = method(layer_0_q_proj=8, layer_1_q_proj=8)


@pytest.fixture
def plot(qtbot: Any) -> ModuleMap:
    made = ModuleMap()
    qtbot.addWidget(made)
    made.resize(640, 300)
    made.set_modules(GRID, LORA, (0.1, 1.0))
    made.show()
    return made


def index(place: str) -> int:
    number = GRID.index(place)
    assert number is not None
    return number


def test_that_states_tell_frozen_trained_added_and_empty_places_apart() -> None:
    full = method(embedding=1000, layer_0_q_proj=100)
    places = {place.id: place for place in GRID.places}
    assert full.state(index("embedding"), places["embedding"]) == "whole"
    assert full.state(index("layer.1.q_proj"), places["layer.1.q_proj"]) == "frozen"
    assert full.state(index("prompt"), places["prompt"]) == "absent"
    assert full.state(index("head"), places["head"]) == "empty"
    assert LORA.state(index("layer.0.q_proj"), places["layer.0.q_proj"]) == "part"
    assert method(prompt=32).state(index("prompt"), places["prompt"]) == "whole"


@settings(max_examples=60)
@given(
    layers=st.integers(1, 40),
    kinds=st.sets(st.sampled_from((*KINDS[1:], "qkv_proj", "other")), min_size=1),
    width=st.floats(300, 1600),
    height=st.floats(120, 700),
    names=st.booleans(),
)
def test_that_no_place_lies_over_another_or_outside(
    layers: int, kinds: set[str], width: float, height: float, names: bool
) -> None:
    grid, room = grid_of(layers, tuple(sorted(kinds))), QRectF(0, 0, width, height)
    cells = grid.placed(room, names=names).cells
    assert len(cells) == len(grid.places)
    assert all(room.adjusted(-0.5, -0.5, 0.5, 0.5).contains(box) for box in cells)
    for index, one in enumerate(cells):
        near = cells[index + 1 : index + 9] + cells[:3] + cells[-3:]  # one layer on, and what is in none
        for other in (other for other in near if other is not one):
            shared = one.intersected(other)
            assert shared.width() < 0.01 or shared.height() < 0.01


@given(st.lists(st.floats(1e-9, 1e3), min_size=1), st.integers(0, 3))
def test_that_colours_span_the_norms_and_a_larger_gradient_is_never_weaker(norms: list[float], zeros: int) -> None:
    values = np.array([*norms, *[0.0] * zeros, math.nan])
    low, high = gradient_range([values])
    assert 0 < low < high
    shares = [strength(norm, (low, high)) for norm in sorted(norms)]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert strength(0.0, (low, high)) == 0.0


def test_that_without_norms_there_is_still_a_scale() -> None:
    low, high = gradient_range([np.array([math.nan, 0.0])])
    assert 0 < low < high
    assert gradient_range([]) == (low, high)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_that_the_weakest_gradient_does_not_look_frozen(theme: str) -> None:
    colours = themes.load(theme)
    shades = {colour_of(colours, norm, (0.01, 1.0)) for norm in (0.0, 0.01, 0.1, 1.0)}
    assert len(shades) == 3  # 0 is as dark as the darkest that is known
    assert frozen_colour(colours) not in shades
    assert colour_of(colours, math.nan, (0.01, 1.0)) not in shades


def test_that_an_adapter_lights_a_part_of_its_cell_only() -> None:
    box = QRectF(10, 10, 50, 20)
    assert lit_box(box, "whole") == box
    part = lit_box(box, "part")
    assert box.contains(part)
    assert part.width() < box.width() / 2


def test_that_a_lit_cell_differs_from_a_dark_one_on_the_screen(plot: ModuleMap) -> None:
    def pixel(place: str) -> str:
        box = plot.canvas.placed.cells[index(place)]
        return str(plot.canvas.grab().toImage().pixelColor(round(box.right()) - 3, round(box.top()) + 3).name())

    assert pixel("layer.0.q_proj") != pixel("layer.0.down_proj")
    before = pixel("layer.0.q_proj")
    plot.set_modules(GRID, method(layer_0_down_proj=8), (0.1, 1.0))
    assert pixel("layer.0.down_proj") == before


def test_that_a_place_reads_out_everything(plot: ModuleMap) -> None:
    text = plot.describe(index("layer.0.q_proj"))
    assert text.splitlines() == [
        "layer 0, q_proj",
        "100 parameters of the model",
        "8 trained here",
        "gradient norm (L2): 0.5",
        "largest gradient of a frozen parameter: exactly 0",
    ]
    assert "frozen" in plot.describe(index("layer.0.down_proj")).splitlines()
    assert "adds nothing" in plot.describe(index("prompt"))
    assert "tied" in plot.describe(index("head"))
    plot.set_modules(GRID, method(norms=False, prompt=32), (0.1, 1.0))
    assert "run to measure the gradient norm" in plot.describe(index("prompt"))


def test_that_a_leaked_gradient_is_not_called_zero(plot: ModuleMap) -> None:
    leaked = TrainedModules(LORA.trainable, LORA.norms, np.full(len(GRID.places), 1e-7))
    plot.set_modules(GRID, leaked, (0.1, 1.0))
    assert "1e-07" in plot.describe(index("layer.0.down_proj"))
    assert "exactly" not in plot.describe(index("layer.0.down_proj"))


def test_that_a_click_picks_and_selecting_from_outside_emits_nothing(plot: ModuleMap, qtbot: Any) -> None:
    point = plot.canvas.placed.cells[index("layer.1.down_proj")].center().toPoint()
    with qtbot.waitSignal(plot.place_picked) as caught:
        qtbot.mouseClick(plot.canvas, Qt.MouseButton.LeftButton, pos=point)
    assert caught.args == ["layer.1.down_proj"]
    with qtbot.assertNotEmitted(plot.place_picked):
        plot.select("layer.1.down_proj")
        plot.select("nowhere")
    assert plot.selected is None


def test_that_the_selection_follows_its_place_into_another_grid(plot: ModuleMap) -> None:
    plot.select("head")
    other = grid_of(5)
    plot.set_modules(other, TrainedModules((0,) * len(other.places)), (0.1, 1.0))
    assert plot.selected == len(other.places) - 1
    plot.select("layer.4.q_proj")
    plot.set_modules(GRID, LORA, (0.1, 1.0))
    assert plot.selected is None


def test_that_arrows_walk_and_enter_picks(plot: ModuleMap, qtbot: Any) -> None:
    plot.select("layer.0.q_proj")
    qtbot.keyClick(plot.canvas, Qt.Key.Key_Right)  # the first arrow begins at what is selected
    qtbot.keyClick(plot.canvas, Qt.Key.Key_Right)
    assert plot.tip.text() == plot.describe(index("layer.1.q_proj"))
    qtbot.keyClick(plot.canvas, Qt.Key.Key_Down)
    with qtbot.waitSignal(plot.place_picked) as caught:
        qtbot.keyClick(plot.canvas, Qt.Key.Key_Return)
    assert caught.args == ["layer.1.down_proj"]


def test_that_the_pointer_reads_out(plot: ModuleMap, qtbot: Any) -> None:
    point = plot.canvas.placed.cells[index("embedding")].center().toPoint()
    qtbot.mouseMove(plot.canvas, point)
    qtbot.waitUntil(lambda: plot.tip.text() == plot.describe(index("embedding")))
    qtbot.mouseMove(plot.canvas, QPoint(1, 1))
    qtbot.waitUntil(plot.tip.isHidden)


def test_that_no_places_are_one_sentence(plot: ModuleMap) -> None:
    plot.set_modules(TransformerGrid(), TrainedModules(()), (0.1, 1.0))
    assert plot.is_empty
    assert plot.empty_sentence.endswith(".")


@pytest.mark.parametrize("size", [(320, 180), (640, 300), (1500, 800)])
@pytest.mark.parametrize("layers", [1, 4, 32])
def test_that_it_paints_at_any_size_in_both_themes(
    plot: ModuleMap, qapp: QApplication, size: tuple[int, int], layers: int
) -> None:
    grid = grid_of(layers)
    plot.set_modules(grid, TrainedModules(tuple(place.parameters for place in grid.places)), (0.1, 1.0))
    plot.resize(*size)
    dark = plot.grab().toImage()
    themes.apply(qapp, "light")
    assert plot.grab().toImage() != dark
    themes.apply(qapp, "dark")


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_that_the_legend_shows_the_whole_scale_of_what_trains_and_one_grey_for_frozen(
    plot: ModuleMap, qapp: QApplication, theme: str
) -> None:
    themes.apply(qapp, theme)
    colours = themes.current()
    trains, part, frozen = plot.legend.entries[:3]
    labels = [str(entry.label) for entry in (trains, part, frozen)]
    assert labels == ["trained", "right part: adapter", "frozen"]
    assert trains.scale == part.scale
    assert trains.scale[0] == colour_of(colours, 0.1, plot.limits)
    assert trains.scale[-1] == colour_of(colours, 1.0, plot.limits)
    assert frozen.scale == ()
    assert frozen.colour not in trains.scale
    image, middle = plot.legend.grab().toImage(), plot.legend.height() // 2
    ratio = image.devicePixelRatio()
    drawn = {image.pixelColor(int(x * ratio), int(middle * ratio)).name() for x in range(4, 30)}
    assert len(drawn) > 8
    themes.apply(qapp, "dark")


def test_that_before_a_run_the_legend_has_no_scale(plot: ModuleMap) -> None:
    plot.set_modules(GRID, method(norms=False, prompt=32), (0.1, 1.0))
    assert [entry.scale for entry in plot.legend.entries] == [()] * len(plot.legend.entries)
    assert str(plot.legend.entries[0].label) == "would be trained"
