"""TTIR as Triton 3.6, 3.7 and 3.9 print it, and forms of MLIR's syntax that the flash kernel does not use."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.contracts.errors import TilescopeError
from core.interpreter.inlining import inlined
from core.interpreter.ir import Function, Operation, Type
from core.interpreter.ops.watching import carried_names
from core.interpreter.parser import parse_module
from core.interpreter.plan import plan

FIXTURES = Path(__file__).parents[1] / "fixtures" / "ttir"
VERSIONS = ("3_6", "3_7", "3_9")


def flash(version: str) -> Function:
    return parse_module((FIXTURES / f"flash_triton_{version}.ttir").read_text()).entry


def named(function: Function, name: str) -> list[Operation]:
    return [operation for operation in function.body.walk() if operation.name == name]


@pytest.mark.parametrize("version", VERSIONS)
def test_that_the_flash_kernel_of_each_triton_is_read(version: str) -> None:
    function = flash(version)
    assert function.name == "flash"
    assert [argument.name for argument in function.arguments][:5] == ["q_ptr", "k_ptr", "v_ptr", "o_ptr", "lse_ptr"]
    assert function.arguments[0].type == Type("bf16", None, pointer=True)
    assert [str(op.result.type) for op in named(function, "tt.load")] == ["tensor<64x64xbf16>"] * 3
    assert [op.location.line for op in named(function, "tt.store")] == [30, 31]
    (loop,) = named(function, "scf.for")
    assert [str(result.type) for result in loop.results] == ["tensor<64xf32>", "tensor<64xf32>", "tensor<64x64xf32>"]


@pytest.mark.parametrize("version", VERSIONS)
def test_that_inlined_code_is_found_at_its_own_line_and_library_code_at_its_caller(version: str) -> None:
    function = flash(version)
    helper, dot = named(function, "tt.dot")
    assert (helper.location.file, helper.location.line, helper.location.callers) == (
        "/src/flash.py", 4, (("/src/flash.py", 18),)
    )  # fmt: skip
    assert dot.location.line == 28
    assert [op.location.line for op in named(function, "tt.reduce")] == [23, 26]


@pytest.mark.parametrize("version", VERSIONS)
def test_that_loop_carried_values_have_their_python_names(version: str) -> None:
    (loop,) = named(flash(version), "scf.for")
    assert [name.split("_")[0] for name in carried_names(loop)] == ["m", "l", "acc"]


def body(text: str, arguments: str = "%p: !tt.ptr<f32>, %n: i32") -> Function:
    return parse_module(f"module {{\n  tt.func public @f({arguments}) {{\n{text}\n    tt.return\n  }}\n}}").entry


def test_that_a_module_without_locations_is_read() -> None:
    function = body("    %0 = arith.addi %n, %n : i32")
    assert [op.name for op in function.body.operations] == ["arith.addi", "tt.return"]
    assert str(function.body.operations[0].location) == "an unknown line"


def test_that_names_of_sibling_regions_may_be_the_same() -> None:
    function = body(
        """    %c = arith.cmpi slt, %n, %n : i32
    %r = scf.if %c -> (i32) {
      %0 = arith.addi %n, %n : i32
      scf.yield %0 : i32
    } else {
      %0 = arith.muli %n, %n : i32
      scf.yield %0 : i32
    }
    scf.if %c {
      tt.store %p, %x : !tt.ptr<f32>
    }""",
        "%p: !tt.ptr<f32>, %n: i32, %x: f32",
    )
    branch, alone = named(function, "scf.if")
    assert [region.operations[0].name for region in branch.regions] == ["arith.addi", "arith.muli"]
    assert alone.regions[0].terminator.name == "scf.yield"
    slots = [value.slot for op in function.body.walk() for value in op.results]
    assert len(slots) == len(set(slots))


def test_that_while_loops_and_multiple_results_are_read() -> None:
    function = body(
        """    %w:2 = scf.while (%a = %n, %b = %n) : (i32, i32) -> (i32, i32) {
      %c = arith.cmpi sgt, %a, %b : i32
      scf.condition(%c) %a, %b : i32, i32
    } do {
    ^bb0(%d: i32, %e: i32):
      scf.yield %e, %d : i32, i32
    }
    %s = arith.addi %w#0, %w#1 : i32"""
    )
    (loop,) = named(function, "scf.while")
    before, after = loop.regions
    assert [len(before.terminator.operands), len(after.arguments)] == [3, 2]
    assert function.body.operations[1].operands == loop.results


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("arith.constant dense<[1, 2, 3, 4]> : tensor<4xi32>", (1, 2, 3, 4)),
        ("arith.constant dense<0xFF800000> : tensor<4xf32>", "0xFF800000"),
        ("arith.constant -1.5e-3 : f32", -1.5e-3),
        ("arith.constant true", True),
    ],
)
def test_that_constants_keep_what_was_printed(text: str, word: object) -> None:
    (constant,) = named(body(f"    %0 = {text}"), "arith.constant")
    assert constant.attributes["words"] == (word,)


def test_that_attributes_of_every_form_are_read() -> None:
    (load,) = named(
        body('    %0 = tt.load %p cacheModifier = ca {isVolatile = false, note = "a b", order = array<i32: 1, 0>} '
             ': !tt.ptr<f32>'),
        "tt.load",
    )  # fmt: skip
    assert load.attributes["cacheModifier"] == "ca"
    assert load.attributes["order"] == (1, 0)
    assert load.attributes["isVolatile"] is False
    assert load.result.type == Type("f32")


def test_that_several_blocks_are_regions_of_one_operation() -> None:
    function = body(
        """    cf.cond_br %c, ^bb1, ^bb2(%n : i32)
  ^bb1:  // pred: ^bb0
    tt.return
  ^bb2(%0: i32):  // pred: ^bb0""",
        "%c: i1, %n: i32",
    )
    jumps, _ = function.body.operations
    assert jumps.attributes["labels"] == ("", "^bb1", "^bb2")
    assert jumps.regions[0].terminator.attributes["successors"] == (("^bb1", 0), ("^bb2", 1))
    assert [region.terminator.name for region in jumps.regions] == ["cf.cond_br", "tt.return", "tt.return"]


def test_that_a_jump_backwards_is_refused_with_its_reason() -> None:
    function = body("    cf.br ^bb1\n  ^bb1:\n    cf.cond_br %c, ^bb1, ^bb2\n  ^bb2:", "%c: i1")
    with pytest.raises(TilescopeError, match="jumps backwards"):
        plan(function)


def test_that_each_call_has_a_copy_of_the_function_with_slots_of_its_own() -> None:
    module = parse_module(
        """module {
  tt.func public @f(%n: i32) {
    %0 = tt.call @g(%n) : (i32) -> i32
    %1 = tt.call @g(%0) : (i32) -> i32
    tt.return
  }
  tt.func private @g(%a: i32) -> i32 attributes {noinline = true} {
    %0 = arith.addi %a, %a : i32
    tt.return %0 : i32
  }
}"""
    )
    function = inlined(module)
    first, second, _ = function.body.operations
    assert second.operands == first.results
    slots = [
        value.slot
        for op in function.body.walk()
        for value in (*op.results, *(a for r in op.regions for a in r.arguments))
    ]
    assert len(slots) == len(set(slots)) == function.slots - 1


def test_that_text_that_is_not_ttir_is_one_sentence() -> None:
    with pytest.raises(TilescopeError, match=r"^This TTIR cannot be read: .*\.$"):
        parse_module("module { tt.func public @f() { %0 = arith.addi %1, %2 : i32 } }")
