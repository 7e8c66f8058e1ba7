"""The palette, the fonts and the style sheet, dark and light.

Colours live in resources/theme/{dark,light}.toml and the style sheet in resources/theme/window.qss, where `@name`
stands for a colour or a font. Whatever paints asks `current()` at paint time, or restyles on `notifier().changed`.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QColor, QFont, QFontDatabase, QFontMetrics, QPalette
from PySide6.QtWidgets import QApplication, QWidget

from core.contracts.claims import Verdict
from core.contracts.provenance import Provenance
from gui import zoom
from gui.plotting import import_pyqtgraph

_FOLDER = Path(__file__).resolve().parents[1] / "resources" / "theme"
NAMES = ("dark", "light")
STYLE = "Fusion"
"""Qt's style that the style sheet is made for. An application has it from its beginning."""

GAP_XS, GAP_S, GAP_M, GAP_L = 2, 4, 8, 12
"""Spacing, in device-independent pixels: inside a control, between controls, inside a card, between blocks."""
RADIUS = 4
FONT_SIZES_PX = {"small": 11, "body": 12, "title": 13, "caption": 15, "heading": 18}

_UI_FAMILIES = ("Inter", "Noto Sans", "Source Sans 3", "Cantarell", "Ubuntu", "Open Sans", "Roboto", "DejaVu Sans")
_CJK_FAMILIES = ("Noto Sans CJK SC", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei", "WenQuanYi Micro Hei")
_MONO_FAMILIES = (
    "JetBrains Mono",
    "Cascadia Mono",
    "SF Mono",
    "Menlo",
    "Consolas",
    "DejaVu Sans Mono",
    "Noto Sans Mono",
)


@dataclass(frozen=True)
class Theme:
    """One set of colours, each '#rrggbb'.

    `tensors` has the keys Q K V S P O LSE, with the same meaning in every plot; `series` is for everything
    else, in order; `tiles` by full, partial, skipped, done, current.
    """

    name: str
    background: str
    surface: str
    sunken: str
    raised: str
    hover: str
    border: str
    border_strong: str
    text: str
    muted: str
    faint: str
    accent: str
    on_accent: str
    accent_strong: str
    accent_soft: str
    grid: str
    good: str
    warn: str
    bad: str
    idle: str
    busy: str
    tensors: Mapping[str, str]
    provenance: Mapping[Provenance, str]
    verdicts: Mapping[Verdict, str]
    tiles: Mapping[str, str]
    code: Mapping[str, str]
    series: tuple[str, ...]

    @property
    def is_dark(self) -> bool:
        return self.name == "dark"

    def tensor(self, name: str) -> str:
        """The colour of a tensor; an unknown one takes the last, neutral colour."""
        return self.tensors.get(name, self.tensors["LSE"])


class Notifier(QObject):
    """`changed` carries the new Theme after the application was restyled."""

    changed = Signal(object)


@cache
def notifier() -> Notifier:
    return Notifier()


@cache
def load(name: str) -> Theme:
    """The theme of that name, 'dark' or 'light'."""
    with (_FOLDER / f"{name}.toml").open("rb") as file:
        facts = tomllib.load(file)
    return Theme(
        name=name,
        **facts["surfaces"],
        **facts["ink"],
        **facts["states"],
        tensors=facts["tensors"],
        provenance={Provenance(key): colour for key, colour in facts["provenance"].items()},
        verdicts={Verdict(key): colour for key, colour in facts["verdicts"].items()},
        tiles=facts["tiles"],
        code=facts["code"],
        series=tuple(facts["series"]["colours"]),
    )


_current = "dark"


def current() -> Theme:
    """The theme in force."""
    return load(_current)


def apply(app: QApplication, name: str) -> None:
    """Recolour the whole application, then tell every view through `notifier().changed`: what is dressed first."""
    global _current
    if name not in NAMES:
        raise ValueError(f"There is no theme {name!r}: the themes are {', '.join(NAMES)}.")
    _current = name
    theme = current()
    if app.font() != ui_font():  # the first time only: it restyles every widget
        app.setFont(ui_font())
    app.setPalette(_palette(theme))
    if "pyqtgraph" in sys.modules:
        configure_pyqtgraph()
    notifier().changed.emit(theme)


def set_zoom(app: QApplication, factor: float) -> None:
    """Show texts in another size, 1 for 100 %, then tell every view as `apply` does. What was laid out keeps its size:
    pages have to be built anew."""
    zoom.use(factor)
    app.setFont(ui_font())
    notifier().changed.emit(current())


class _Dress(QObject):
    """Keeps the style sheet of its parent up to date."""

    def __init__(self, wearer: QApplication | QWidget) -> None:
        super().__init__(wearer)
        self._wearer = wearer
        notifier().changed.connect(self._renew)
        self._renew()

    def _renew(self) -> None:
        self._wearer.setStyleSheet(style_sheet(current()))


def dress(wearer: QApplication | QWidget) -> None:
    """Give a window and what belongs to it, or an application, the style sheet of the theme in force.

    If the application has one, Qt styles a widget and all below it again whenever it gets a parent. A page is made of
    parts of parts, so it takes twice as long to build. A window styles it once, when the page is put into the window.
    """
    _Dress(wearer)


def font_px(size: str) -> int:
    """The height of a font, a key of FONT_SIZES_PX, in the size that texts have now."""
    return round(FONT_SIZES_PX[size] * zoom.factor())


def configure_pyqtgraph() -> None:
    """Set pyqtgraph's defaults from the current theme. Imports pyqtgraph, so not before the first paint."""
    theme = current()
    import_pyqtgraph().setConfigOptions(
        background=theme.sunken, foreground=theme.muted, antialias=True, imageAxisOrder="row-major"
    )


def ui_font(size: str = "body", *, bold: bool = False, zoomed: bool = True) -> QFont:
    """The interface font, with a Chinese fallback. `size` is a key of FONT_SIZES_PX. One that is not `zoomed` has its
    size at 100 %: what is painted with it is scaled as a whole."""
    font = QFont()
    font.setFamilies([_ui_family(), *_available(_CJK_FAMILIES)])
    font.setPixelSize(font_px(size) if zoomed else FONT_SIZES_PX[size])
    font.setWeight(QFont.Weight.DemiBold if bold else QFont.Weight.Normal)
    return font


def mono_font(size: str = "body") -> QFont:
    """The font of code and numbers: digits of one width."""
    font = QFont()
    font.setFamilies([*_mono_families(), *_available(_CJK_FAMILIES)])
    font.setStyleHint(QFont.StyleHint.Monospace)
    font.setPixelSize(font_px(size))
    return font


def colour(value: str, alpha: float = 1.0) -> QColor:
    """A QColor of '#rrggbb' with `alpha` from 0 to 1."""
    translucent = QColor(value)
    translucent.setAlphaF(alpha)
    return translucent


@lru_cache(maxsize=4096)
def mix(first: str, second: str, share: float) -> str:
    """`share` of `second` blended into `first`, as '#rrggbb': tints that stay opaque."""
    a, b = QColor(first), QColor(second)
    channels = zip((a.red(), a.green(), a.blue()), (b.red(), b.green(), b.blue()), strict=True)
    return "#" + "".join(f"{round(x + (y - x) * share):02x}" for x, y in channels)


def style_sheet(theme: Theme) -> str:
    """window.qss with its `@names` replaced."""
    template = (_FOLDER / "window.qss").read_text(encoding="utf-8")
    icons = (_FOLDER.parent / "icons").as_posix()
    values: dict[str, str] = {key: value for key, value in vars(theme).items() if isinstance(value, str)} | {
        f"font_{key}": f"{font_px(key)}px" for key in FONT_SIZES_PX
    }
    values |= {f"line_{key}": f"{_line_px(key)}px" for key in FONT_SIZES_PX}
    values |= {"mono": ", ".join(f'"{f}"' for f in _mono_families()), "icons": icons}
    values |= {"good_soft": mix(theme.surface, theme.good, 0.14), "bad_soft": mix(theme.surface, theme.bad, 0.14)}
    recorded = theme.provenance[Provenance.RECORDED]
    values |= {"recorded": recorded, "recorded_soft": mix(theme.surface, recorded, 0.10)}
    return re.sub(r"@([a-z_]+)", lambda match: values[match.group(1)], template)


@zoom.cached(None)
def _line_px(size: str) -> int:
    """The height of a line with Latin and Chinese letters. What is as high as that stays so in another language."""
    return QFontMetrics(ui_font(size, bold=True)).size(0, "Ag中文").height()


def _palette(theme: Theme) -> QPalette:
    role = QPalette.ColorRole
    colours = {
        role.Window: theme.background,
        role.WindowText: theme.text,
        role.Base: theme.sunken,
        role.AlternateBase: theme.surface,
        role.Text: theme.text,
        role.Button: theme.raised,
        role.ButtonText: theme.text,
        role.BrightText: theme.bad,
        role.Highlight: theme.accent,
        role.HighlightedText: theme.on_accent,
        role.ToolTipBase: theme.raised,
        role.ToolTipText: theme.text,
        role.PlaceholderText: theme.faint,
        role.Link: theme.accent,
        role.LinkVisited: theme.accent,
        role.Mid: theme.border,
        role.Dark: theme.border_strong,
        role.Light: theme.hover,
        role.Shadow: theme.background,
    }
    palette = QPalette()
    for key, value in colours.items():
        palette.setColor(key, QColor(value))
    for key in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, key, QColor(theme.faint))
    return palette


@cache
def _installed() -> frozenset[str]:
    return frozenset(QFontDatabase.families())


def _available(families: tuple[str, ...]) -> list[str]:
    return [family for family in families if family in _installed()]


@cache
def _ui_family() -> str:
    """The system's interface font on macOS and Windows; elsewhere the first of _UI_FAMILIES that is installed."""
    system = QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont).family()
    if sys.platform in ("darwin", "win32"):
        return system
    return next(iter(_available(_UI_FAMILIES)), system)


@cache
def _mono_families() -> tuple[str, ...]:
    system = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont).family()
    return (*_available(_MONO_FAMILIES)[:1], system)
