"""The diagram of the page: the methods as small pictures, the selected one large, and a player over the steps."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from core import language
from core.topics.fine_tuning.params import FineTuningParams
from core.topics.fine_tuning.plan import Plan
from core.topics.fine_tuning.result import FineTuningResult
from gui.pages.fine_tuning import view_data
from gui.pages.fine_tuning.method_picker import MethodPicker
from gui.pages.fine_tuning.module_map import ModuleMap
from gui.pages.fine_tuning.transformer_grid import TrainedModules, TransformerGrid
from gui.widgets.player import Player


class ModulesView(QWidget):
    """`step_changed` carries the step that the player shows, None while it follows the newest step."""

    step_changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.picker, self.map, self.player = MethodPicker(), ModuleMap(), Player()
        self._steps: list[int] = []
        self._syncing = False
        self._drawn: tuple[FineTuningParams, FineTuningResult | None, int | None] | None = None
        self._language = language.current()
        self._grid, self._limits = TransformerGrid(), (0.1, 1.0)
        self._modules: dict[str, TrainedModules] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.picker)
        column.addWidget(self.map, 1)
        column.addWidget(self.player)
        self.player.hide()
        self.player.step_changed.connect(self._on_frame)

    def draw(self, plan: Plan, run: FineTuningResult | None, method: str, step: int | None) -> None:
        """Show all methods at a step (None for the newest) and one of them large."""
        params, drawn_run, drawn_step = self._drawn or (None, None, None)
        same_params = params is not None and plan.params.needs_same_run_as(params)
        same_language = self._language == language.current()
        if not (same_params and same_language) or drawn_run is not run or drawn_step != step:
            self._drawn, self._language = (plan.params, run, step), language.current()
            self._grid = view_data.grid(plan, run)
            self._limits = (0.1, 1.0) if run is None else run.gradient_range
            self._modules = {name: view_data.trained_modules(plan, run, name, step) for name in view_data.ORDER}
            tiles = [view_data.tile(plan, run, name, self._modules[name]) for name in view_data.ORDER]
            self.picker.set_tiles(self._grid, tiles, self._limits)
            self._set_frames(view_data.frames(run), step)
        self.picker.choose(method)
        self.map.set_modules(self._grid, self._modules[method], self._limits)

    def _set_frames(self, steps: list[int], step: int | None) -> None:
        """Set the player to the page's step. While a run grows, it follows the newest frame."""
        frame = len(steps) - 1 if step is None else max((i for i, s in enumerate(steps) if s <= step), default=0)
        self._syncing = True
        if steps != self._steps:
            playing = self.player.is_playing
            self._steps = steps
            self.player.set_steps(len(steps), frame)
            if playing:
                self.player.play()
        elif frame != self.player.step:
            self.player.set_step(frame)
        self._syncing = False
        self.player.setVisible(len(steps) > 1)

    def _on_frame(self, frame: int) -> None:
        if not self._syncing and 0 <= frame < len(self._steps):
            self.step_changed.emit(None if frame == len(self._steps) - 1 else self._steps[frame])
