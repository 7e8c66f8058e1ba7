"""A demo as HTML and as an animated picture."""

from __future__ import annotations

import base64
import io
import re

from PIL import Image

from core import language
from core.demos.animation import as_gif
from core.demos.slides import Slide, as_html


def png(colour: str, size: tuple[int, int] = (40, 30)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


def test_that_the_slides_are_in_one_file_that_asks_no_network_for_anything() -> None:
    pictures = [png("red"), png("blue")]
    html = as_html("Title", [Slide(each, "Look.", 2.5) for each in pictures], is_dark=True)
    embedded = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    assert [base64.b64decode(each) for each in embedded] == pictures
    assert re.findall(r'(?:src|href)="(?!data:)', html) == []
    assert re.findall(r"https?://|@import|url\(", html) == []
    assert "default-src 'none'" in html
    assert "const seconds = [2.5, 2.5];" in html


def test_that_a_caption_is_shown_as_it_is() -> None:
    html = as_html("<b>T</b>", [Slide(png("red"), '</figcaption><script>"x"&$HOME', 1)], is_dark=False)
    assert "<figcaption>&lt;/figcaption&gt;&lt;script&gt;&quot;x&quot;&amp;$HOME</figcaption>" in html
    assert "<title>&lt;b&gt;T&lt;/b&gt;</title>" in html


def test_that_the_buttons_are_in_the_language_of_the_captions() -> None:
    with language.using(language.CHINESE):
        html = as_html("标题", [Slide(png("red"), "看。", 1)], is_dark=False)
    assert '<html lang="zh" data-scheme="light">' in html
    assert ">下一步</button>" in html


def test_that_the_animated_picture_shows_each_step_for_its_time_again_and_again() -> None:
    data = as_gif([png("red"), png("blue"), png("red")], [1.5, 0.5, 2.25])
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.format == "GIF"
        assert (picture.n_frames, picture.size, picture.info["loop"]) == (3, (40, 30), 0)
        colours, times = [], []
        for frame in range(picture.n_frames):
            picture.seek(frame)
            colours.append(picture.convert("RGB").getpixel((3, 3)))
            times.append(picture.info["duration"])
    assert colours == [(255, 0, 0), (0, 0, 255), (255, 0, 0)]
    assert times == [1500, 500, 2250]
