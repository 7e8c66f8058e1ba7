from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from PySide6.QtGui import QColor

from core.contracts.claims import Verdict
from core.contracts.result import Provenance
from gui import theme

# Machado, Oliveira and Fernandes 2009, severity 1.0: what a deuteranope and a protanope see, in linear RGB.
DEUTERANOPIA = np.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
)
PROTANOPIA = np.array(
    [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
)


def linear_rgb(colour: str) -> np.ndarray:
    channels = np.array([QColor(colour).redF(), QColor(colour).greenF(), QColor(colour).blueF()])
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def contrast(first: str, second: str) -> float:
    """WCAG 2.1 contrast ratio."""
    a, b = (float(linear_rgb(colour) @ [0.2126, 0.7152, 0.0722]) for colour in (first, second))
    return (max(a, b) + 0.05) / (min(a, b) + 0.05)


def lab(rgb: np.ndarray) -> np.ndarray:
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = np.cbrt(np.clip(to_xyz @ np.clip(rgb, 0, 1) / [0.9505, 1.0, 1.089], 1e-4, None))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.fixture(params=theme.NAMES)
def colours(request: pytest.FixtureRequest) -> theme.Theme:
    return theme.load(request.param)


def test_that_text_can_be_read_on_every_surface(colours: theme.Theme) -> None:
    for surface in (colours.background, colours.surface, colours.sunken, colours.raised):
        assert contrast(colours.text, surface) >= 7
        assert contrast(colours.muted, surface) >= 4.5
    assert contrast(colours.on_accent, colours.accent) >= 4.5


def test_that_badges_and_verdicts_can_be_read(colours: theme.Theme) -> None:
    for colour in (*colours.provenance.values(), *colours.verdicts.values(), colours.good, colours.warn, colours.bad):
        assert contrast(colour, theme.mix(colours.surface, colour, 0.14)) >= 4.0


def test_that_tensors_stand_out_from_the_plot_behind_them(colours: theme.Theme) -> None:
    for colour in (*colours.tensors.values(), *colours.series):
        assert contrast(colour, colours.sunken) >= 3


@pytest.mark.parametrize("vision", [np.eye(3), DEUTERANOPIA, PROTANOPIA], ids=["normal", "deuteranopia", "protanopia"])
def test_that_tensors_are_distinct_to_everybody(colours: theme.Theme, vision: np.ndarray) -> None:
    seen = {name: lab(vision @ linear_rgb(colour)) for name, colour in colours.tensors.items()}
    for first, second in combinations(seen, 2):
        assert np.linalg.norm(seen[first] - seen[second]) > 15, (first, second)


def test_that_each_theme_colours_every_tensor_provenance_and_verdict(colours: theme.Theme) -> None:
    assert set(colours.tensors) == {"Q", "K", "V", "S", "P", "O", "LSE"}
    assert set(colours.provenance) == set(Provenance)
    assert set(colours.verdicts) == set(Verdict)
    assert colours.tensor("bias") == colours.tensors["LSE"]


def test_that_the_style_sheet_has_no_name_left_in_it(colours: theme.Theme, qapp: object) -> None:
    assert "@" not in theme.style_sheet(colours)


def test_that_a_change_of_theme_reaches_the_application_and_whoever_listens(qapp: object, qtbot: object) -> None:
    with qtbot.waitSignal(theme.notifier().changed) as signal:
        theme.apply(qapp, "light")
    assert signal.args[0] is theme.current()
    assert theme.current().name == "light"
    assert qapp.palette().window().color().name() == theme.load("light").background


def test_that_an_unknown_theme_is_refused_and_nothing_changes(qapp: object) -> None:
    before = theme.current()
    with pytest.raises(ValueError, match="the themes are dark, light"):
        theme.apply(qapp, "sepia")
    assert theme.current() is before


def test_that_fonts_fall_back_to_one_that_has_chinese(qapp: object) -> None:
    assert theme.ui_font().families()
    assert theme.mono_font("small").pixelSize() == theme.FONT_SIZES_PX["small"]
