"""The diagram of the page: methods as small pictures across the top, the chosen one large, a player through time."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from core.contracts.result import Result
from core.format import format_quantity
from core.topics.fine_tuning.methods import METHODS, MethodId
from core.topics.fine_tuning.model.plan import Plan
from core.topics.fine_tuning.params import FineTuningParams
from gui.pages.fine_tuning import view_data
from gui.pages.fine_tuning.method_picker import MethodTile, MethodTiles
from gui.pages.fine_tuning.module_map import PlacesMap
from gui.pages.fine_tuning.transformer_grid import PlacesGrid, PlacesOf, norm_limits
from gui.widgets.player import Player


class PlacesView(QWidget):
    """`step_changed` carries the step that the player shows; None while it follows the newest."""

    step_changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.tiles, self.map, self.player = MethodTiles(), PlacesMap(), Player()
        self._steps: list[int] = []
        self._quiet = False
        self._drawn: tuple[FineTuningParams, Result | None, int | None] | None = None
        self._grid, self._limits = PlacesGrid(), (0.1, 1.0)
        self._of: dict[str, PlacesOf] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.tiles)
        column.addWidget(self.map, 1)
        column.addWidget(self.player)
        self.player.hide()
        self.player.step_changed.connect(self._on_frame)

    def draw(self, plan: Plan, result: Result | None, method: str, step: int | None) -> None:
        """Show every method at a step (the newest for None), one of them large."""
        drawn = plan.params.model_copy(update={"method": ""}), result, step
        params, of_run, at = self._drawn or (None, None, None)
        if params != drawn[0] or of_run is not result or at != step:
            self._drawn = drawn
            self._grid, self._limits = view_data.grid(plan, result), norm_limits(view_data.all_norms(result))
            self._of = {name: view_data.places_of(plan, result, name, step) for name in view_data.ORDER}
            tiles = [tile(plan, result, name, self._of[name]) for name in view_data.ORDER]
            self.tiles.set_tiles(self._grid, tiles, self._limits)
            self._set_frames(view_data.frames(result).tolist(), step)
        self.tiles.choose(method)
        self.map.set_places(self._grid, self._of[method], self._limits)

    def _set_frames(self, steps: list[int], step: int | None) -> None:
        """The player stands where the page does; while a run grows it follows the newest frame."""
        at = len(steps) - 1 if step is None else max((i for i, s in enumerate(steps) if s <= step), default=0)
        self._quiet = True
        if steps != self._steps:
            playing = self.player.is_playing
            self._steps = steps
            self.player.set_steps(len(steps), at)
            if playing:
                self.player.play()
        elif at != self.player.step:
            self.player.set_step(at)
        self._quiet = False
        self.player.setVisible(len(steps) > 1)

    def _on_frame(self, frame: int) -> None:
        if not self._quiet and 0 <= frame < len(self._steps):
            self.step_changed.emit(None if frame == len(self._steps) - 1 else self._steps[frame])


def tile(plan: Plan, result: Result | None, method: str, places: PlacesOf) -> MethodTile:
    """A method's button: its share, or why it has none."""
    row = view_data.row_of(result, method)
    where = METHODS[MethodId(method)].where.in_language("en")
    error = "" if row is None else str(row.get("error") or "")
    if row is not None:
        share = view_data.number(row.get("share"))
        count = int(row["trainable_parameters"])
        facts = _facts(share)
        source = view_data.provenance(result) if result is not None else ""
        about = f"{count:,} of {row['total_parameters']:,} parameters train; {source}"
    elif result is not None and method not in view_data.methods_run(result):
        facts, about = ("not in this run", "not run"), "modelled from shapes"
    else:
        made = plan.counts[MethodId(method)]
        facts = _facts(made.share)
        about = f"{made.trainable_parameters:,} of {made.total_parameters:,} parameters; modelled"
    tip = "\n".join(part for part in (view_data.label(method), where, about, error and f"stopped: {error}") if part)
    return MethodTile(
        key=method,
        name=view_data.label(method),
        short=view_data.SHORT[method],
        facts=("stopped",) if error else facts,
        places=places,
        tip=tip,
        broken=bool(error),
        ink=view_data.ORDER.index(method),
    )


def _facts(share: float) -> tuple[str, ...]:
    said = format_quantity(100 * share, "%")
    return f"{said} trains", said
