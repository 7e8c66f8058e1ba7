from __future__ import annotations

import sys

import pytest

from core.contracts.errors import InvalidParams, MissingRequirement
from gui.window.display import require_display, why_no_display
from gui.window.gallery import parse_size
from tests.xserver import is_available, x_server

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only X11 and Wayland can be absent")


@pytest.fixture(autouse=True)
def no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)


def test_that_no_display_is_reported_and_points_to_pictures() -> None:
    with pytest.raises(MissingRequirement, match=r"no display here .* python main\.py screenshot all"):
        require_display()


def test_that_a_chosen_platform_without_a_screen_needs_no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    assert why_no_display() is None


@pytest.mark.skipif(not is_available(), reason="Xvfb is not installed")
def test_that_a_display_counts_only_while_its_server_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    with x_server() as display:
        monkeypatch.setenv("DISPLAY", display)
        assert why_no_display() is None
    assert f"DISPLAY={display} does not answer" in str(why_no_display())


@pytest.mark.parametrize("size", ["", "100", "1600x", "x1000", "0x0", "99999999x10", "1600*1000", "-5x600"])
def test_that_a_size_that_cannot_be_is_refused_in_one_sentence(size: str) -> None:
    with pytest.raises(InvalidParams, match="WIDTHxHEIGHT"):
        parse_size(size)


def test_that_a_size_is_read_as_width_and_height() -> None:
    assert parse_size("1280x800") == (1280, 800)
