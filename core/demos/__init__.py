"""Demos: pages shown one after another, with captions, from a small text file (docs/demos.md).

A demo names what the pages have; it has no code, no pictures and no numbers. What is shown comes from the pages.
"""

from typing import TYPE_CHECKING

from core.lazy_names import lazy_names

if TYPE_CHECKING:
    from core.demos.demo import Demo, Step
    from core.demos.finding import find_demo, shipped_demos, shipped_titles
    from core.demos.reading import InvalidDemo, parse_demo, read_demo
    from core.demos.writing import demo_as_toml, write_demo

__getattr__ = lazy_names(
    __name__,
    {
        "demo": ("Demo", "Step"),
        "finding": ("find_demo", "shipped_demos", "shipped_titles"),
        "reading": ("InvalidDemo", "parse_demo", "read_demo"),
        "writing": ("demo_as_toml", "write_demo"),
    },
)

__all__ = [
    "Demo",
    "InvalidDemo",
    "Step",
    "demo_as_toml",
    "find_demo",
    "parse_demo",
    "read_demo",
    "shipped_demos",
    "shipped_titles",
    "write_demo",
]
