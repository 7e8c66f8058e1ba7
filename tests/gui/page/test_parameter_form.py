from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from core.contracts.params import Params, choice, number
from core.contracts.text import verbatim
from gui.page.form.fields import ComboField, NumberField, SegmentField, SwitchField
from gui.page.form.parameter_form import ParameterForm
from tests.gui.doubles import ToyParams


@pytest.fixture
def form(qtbot: Any) -> ParameterForm:
    made = ParameterForm(ToyParams)
    qtbot.addWidget(made)
    made.show()
    return made


@pytest.fixture
def heard(form: ParameterForm) -> list[ToyParams]:
    params: list[ToyParams] = []
    form.changed.connect(params.append)
    return params


def test_that_each_kind_of_parameter_has_its_control(form: ParameterForm) -> None:
    kinds = {name: type(field) for name, field in form.fields.items()}
    assert kinds == {
        "seq_len": NumberField,
        "heads": NumberField,
        "kv_heads": NumberField,
        "scale": NumberField,
        "causal": SwitchField,
        "dtype": SegmentField,
        "gpu": ComboField,
    }
    assert form.fields["seq_len"].slider is not None
    assert form.fields["heads"].slider is None
    assert "Tokens. From 1 to 65536." in form.fields["seq_len"].toolTip()


class LastChoiceParams(Params):
    weights: str = choice("trained", "random", "trained", label="Weights", help="The last one by default.")


def test_that_a_default_that_is_the_last_choice_is_marked_from_the_start(qtbot: Any) -> None:
    made = ParameterForm(LastChoiceParams)
    qtbot.addWidget(made)
    field = made.fields["weights"]
    assert isinstance(field, SegmentField)
    assert [button.isChecked() for button in field.group.buttons()] == [False, True]


def test_that_model_reaches_widgets_silently(form: ParameterForm, heard: list[ToyParams]) -> None:
    form.set_params(ToyParams(seq_len=4096, causal=False, dtype="bf16", gpu="NVIDIA H100 SXM", scale=1.5))
    assert form.fields["seq_len"].spin.value() == 4096
    assert form.fields["seq_len"].slider.value() == 12
    assert not form.fields["causal"].check.isChecked()
    assert form.fields["dtype"].group.checkedButton().text() == "bf16"
    assert form.fields["gpu"].combo.currentText() == "NVIDIA H100 SXM"
    assert form.fields["scale"].spin.value() == 1.5
    assert not heard
    assert not form.undo_stack.canUndo()


def test_that_widgets_reach_the_model(form: ParameterForm, heard: list[ToyParams]) -> None:
    form.fields["seq_len"].slider.setValue(11)
    QTest.mouseClick(form.fields["causal"].check, Qt.MouseButton.LeftButton, pos=QPoint(8, 8))
    QTest.mouseClick(form.fields["dtype"].group.button(0), Qt.MouseButton.LeftButton)
    form.fields["gpu"].combo.setCurrentIndex(1)
    form.fields["scale"].spin.setValue(0.75)
    assert len(heard) == 5
    assert heard[-1] == form.params
    assert form.params == ToyParams(seq_len=2048, causal=False, dtype="fp32", gpu="NVIDIA H100 SXM", scale=0.75)


def test_that_typing_announces_once_and_not_at_each_digit(form: ParameterForm, heard: list[ToyParams]) -> None:
    spin = form.fields["seq_len"].spin
    spin.selectAll()
    QTest.keyClicks(spin, "1000")
    assert not heard
    QTest.keyClick(spin, Qt.Key.Key_Return)
    assert [params.seq_len for params in heard] == [1000]
    assert form.fields["seq_len"].slider.value() == 10


def test_that_an_impossible_combination_is_explained_at_its_field(form: ParameterForm, heard: list[ToyParams]) -> None:
    validity: list[bool] = []
    form.validity_changed.connect(validity.append)
    form.fields["kv_heads"].spin.setValue(3)
    assert form.fields["kv_heads"].problem == "kv_heads = 3 does not divide heads = 4."
    assert form.problem == form.fields["kv_heads"].problem
    assert not form.valid
    assert form.params == ToyParams()
    assert not heard
    form.fields["heads"].spin.setValue(6)
    assert form.valid
    assert not form.problem
    assert heard == [ToyParams(heads=6, kv_heads=3)]
    assert validity == [False, True]


def test_that_undo_and_redo_walk_through_the_changes(form: ParameterForm, heard: list[ToyParams]) -> None:
    form.fields["heads"].spin.setValue(8)
    form.fields["kv_heads"].spin.setValue(2)
    form.undo_stack.undo()
    assert form.params == ToyParams(heads=8)
    assert form.fields["kv_heads"].spin.value() == 4
    form.undo_stack.undo()
    assert form.params == ToyParams()
    form.undo_stack.redo()
    form.undo_stack.redo()
    assert form.params == ToyParams(heads=8, kv_heads=2)
    assert heard[-1] == form.params


def test_that_dragging_a_slider_is_one_step_to_undo(form: ParameterForm) -> None:
    for position in (11, 12, 13, 14):
        form.fields["seq_len"].slider.setValue(position)
    form.undo_stack.undo()
    assert form.params == ToyParams()


def test_that_reset_goes_back_to_the_defaults_and_can_be_undone(form: ParameterForm) -> None:
    form.set_params(ToyParams(heads=8))
    form.reset()
    assert form.params == ToyParams()
    form.undo_stack.undo()
    assert form.params == ToyParams(heads=8)


def test_that_the_wheel_scrolls_the_panel_and_not_a_value(form: ParameterForm, heard: list[ToyParams]) -> None:
    for control in (form.fields["heads"].spin, form.fields["seq_len"].slider, form.fields["gpu"].combo):
        wheel = QWheelEvent(
            QPointF(5, 5),
            QPointF(control.mapToGlobal(QPoint(5, 5))),
            QPoint(),
            QPoint(0, 120),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(control, wheel)
    assert not heard


def test_that_a_fault_of_no_field_stands_above_the_form(form: ParameterForm) -> None:
    form.show_problem("It does not fit into memory.")
    assert form.problem == "It does not fit into memory."
    form.clear_problem()
    assert not form.problem


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.builds(
        ToyParams,
        seq_len=st.integers(1, 65536),
        heads=st.sampled_from([4, 8, 12]),
        scale=st.integers(0, 20).map(lambda tenths: tenths / 10),
        causal=st.booleans(),
        dtype=st.sampled_from(["fp32", "fp16", "bf16"]),
    )
)
def test_that_any_parameters_come_back_from_the_controls_as_they_went_in(
    form: ParameterForm, params: ToyParams
) -> None:
    form.set_params(params)
    assert {name: field.value() for name, field in form.fields.items()} == params.model_dump()


class RateParams(Params):
    rate: float = number(
        1e-3, minimum=1e-6, maximum=1.0, scale="log2", label=verbatim("Rate"), help=verbatim("A rate.")
    )


def test_that_the_slider_of_a_small_number_has_a_stop_at_every_doubling(qtbot: Any) -> None:
    form = ParameterForm(RateParams)
    qtbot.addWidget(form)
    field = form.fields["rate"]
    assert isinstance(field, NumberField)
    assert field.slider is not None
    stops = []
    for position in range(field.slider.maximum() + 1):
        field.slider.setValue(position)
        stops.append(float(field.value()))
    assert (stops[0], stops[-1]) == (1e-6, 1.0)
    # The field keeps six decimals, so the smallest doublings are rounded.
    assert all(1.0 < larger / smaller < 2.1 for smaller, larger in itertools.pairwise(stops))
