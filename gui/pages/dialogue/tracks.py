"""The tracks of the aligned rows: which there are, in which order, and how high each is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from core.contracts.text import Text, tr, tr_in, verbatim
from gui.zoom import Px

LINE_GAP_PX = Px(7)


class Track(StrEnum):
    """From the top down."""

    ROLE = "role"
    SEGMENT = "segment"
    TEXT = "text"
    TARGET = "target"
    SEES = "sees"
    SEEN_BY = "seen by"
    LOSS = "loss"
    ID = "id"
    POSITION = "position"


ALWAYS = frozenset({Track.ROLE, Track.TEXT, Track.TARGET})
HEIGHT_PX: Mapping[Track, int] = {
    Track.ROLE: 13,
    Track.SEGMENT: 12,
    Track.TEXT: 18,
    Track.TARGET: 7,
    Track.SEES: 5,
    Track.SEEN_BY: 5,
    Track.LOSS: 15,
    Track.ID: 12,
    Track.POSITION: 12,
}
NAMES: Mapping[Track, Text] = {
    Track.SEGMENT: tr_in("track", "doc."),
    Track.TARGET: tr_in("track", "target"),
    Track.LOSS: tr_in("track", "loss"),
    Track.ID: verbatim("id"),
    Track.POSITION: tr_in("track", "position"),
}
"""Written beside the first token of each line. The attention has no name: its two strips are too thin for one."""


@dataclass(frozen=True)
class TrackLayout:
    """Tracks with their upper edges, in pixels from the top of a line, and the height of a line."""

    top: Mapping[Track, int]
    line_px: int

    @classmethod
    def of(cls, shown: Iterable[Track]) -> TrackLayout:
        wanted = ALWAYS | set(shown)
        top, y = {}, 0
        for track in Track:
            if track in wanted:
                top[track] = y
                y += HEIGHT_PX[track]
        return cls(top, y + LINE_GAP_PX)

    def __contains__(self, track: Track) -> bool:
        return track in self.top


_ATTENTION_HELP = tr("Which tokens the selected one sees, and below which ones see it.")
_LOSS_HELP = tr("The loss of each token under the small model, in nats.")
_ID_HELP = tr("The id of each token in the vocabulary.")
_POSITION_HELP = tr("The position that the model is told for each token.")
TRACK_CHOICES: tuple[tuple[str, Text, Text, tuple[Track, ...]], ...] = (
    ("attention", tr("Attention"), _ATTENTION_HELP, (Track.SEES, Track.SEEN_BY)),
    ("loss", tr_in("track", "Loss"), _LOSS_HELP, (Track.LOSS,)),
    ("id", tr("Ids"), _ID_HELP, (Track.ID,)),
    ("position", tr("Positions"), _POSITION_HELP, (Track.POSITION,)),
)
"""Key, label, help and tracks of each switch above the rows."""
