"""Whether a step would run code of a file: a demo that came from elsewhere must not do that by itself."""

from __future__ import annotations

from core.contracts.place import Place
from core.examples import opens_own_files


def runs_foreign_code(place: Place) -> bool:
    """Whether a run of this place executes a file that does not come with the program."""
    return place.topic.runs_user_code and opens_own_files(place.topic, place.params)
