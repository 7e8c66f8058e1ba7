"""A demo as one HTML file: its pictures and captions are inside, and it asks no network for anything."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template

from core import language
from core.contracts.text import Text, tr

TEMPLATE = Path(__file__).resolve().parents[2] / "resources" / "demos" / "slides.html"


@dataclass(frozen=True)
class Slide:
    """A picture (PNG), what is said about it, and for how many seconds it is shown where the slides go on alone."""

    picture: bytes
    caption: str
    seconds: float


def as_html(title: str, slides: Sequence[Slide], *, is_dark: bool) -> str:
    """The slide show, in the current language."""
    words: dict[str, Text] = {
        "back": tr("Back"),
        "next": tr("Next"),
        "play": tr("Play"),
        "pause": tr("Pause"),
        "full_screen": tr("Full screen"),
        "keys": tr(
            "Left and Right: back and next. Space: play or pause. F: full screen. Home and End: first and last."
        ),
    }
    figures = "\n".join(_figure(number, slide) for number, slide in enumerate(slides, start=1))
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        {name: escape(str(text)) for name, text in words.items()},
        language=language.current(),
        title=escape(title),
        scheme="dark" if is_dark else "light",
        figures=figures,
        seconds=json.dumps([slide.seconds for slide in slides]),
    )


def _figure(number: int, slide: Slide) -> str:
    data = base64.b64encode(slide.picture).decode("ascii")
    caption = escape(slide.caption)
    return (
        f'<figure id="step-{number}"><img alt="{caption}" src="data:image/png;base64,{data}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )
