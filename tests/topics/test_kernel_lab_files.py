"""Files as users write them: broken, hostile, edited between runs."""

from __future__ import annotations

import os
import sys
import textwrap
from pathlib import Path

import pytest

from core.contracts.errors import InvalidParams, MissingRequirement, RunFailed, TilescopeError
from core.topics.kernel_lab import TOPIC
from core.topics.kernel_lab.params import KernelLabParams
from core.topics.kernel_lab.plan import plan
from core.topics.kernel_lab.result import KernelLabResult

pytest.importorskip("triton")
torch = pytest.importorskip("torch")

KERNEL = """\
import sys
import torch
import triton
import triton.language as tl

@triton.jit
def double_kernel(x_ptr, BLOCK: tl.constexpr):
    offsets = tl.arange(0, BLOCK)
    tl.store(x_ptr + offsets, 2 * tl.load(x_ptr + offsets))

"""
FIRST_LINE = KERNEL.count("\n") + 1
"""The line after KERNEL."""


def written(folder: Path, text: str, name: str = "mine.py") -> KernelLabParams:
    path = folder / name
    path.write_text(KERNEL + textwrap.dedent(text).lstrip("\n"))
    return KernelLabParams(file=str(path))


def run(params: KernelLabParams) -> KernelLabResult:
    steps = TOPIC.load_experiment()(params, "cpu")
    while True:
        try:
            next(steps)
        except StopIteration as finished:
            return finished.value


BAD_FILES: dict[str, tuple[type[TilescopeError], str, int | None, str]] = {
    "raises on import": (InvalidParams, "x = 1\n1 / 0\ndef main(): pass", 1, "importing the file raised ZeroDivision"),
    "imports what is not there": (InvalidParams, "import no_such_library\ndef main(): pass", 0, "No module named"),
    "exits on import": (InvalidParams, "sys.exit(3)\ndef main(): pass", 0, "called sys.exit(3)"),
    "binds no function": (InvalidParams, "main = 3", None, "defines 'main', but not as a function"),
    "binds a function that needs arguments": (InvalidParams, "main = lambda x: x", None, "needs arguments (x)"),
    "launches nothing": (InvalidParams, "def main():\n    torch.ones(3)", None, "launched no Triton kernel"),
    "raises": (RunFailed, "def main():\n    x = 1\n    raise ValueError('of mine')", 2, "raised ValueError: of mine."),
    "raises deep inside torch": (RunFailed, "def main():\n    torch.ones(2) + torch.ones(3)", 1, "raised RuntimeError"),
    "exits": (RunFailed, "def main():\n    exit()", 1, "called sys.exit("),
    "calls itself": (RunFailed, "def main():\n    main()", 1, "exceeded the recursion limit"),
    "allocates too much": (RunFailed, "def main():\n    torch.empty(1 << 55)", 1, "ran out of memory"),
    "fails an assertion": (RunFailed, "def main():\n    assert False", 1, "raised AssertionError."),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_that_a_bad_file_is_one_sentence_with_its_line(tmp_path: Path, case: str) -> None:
    kind, text, line, fragment = BAD_FILES[case]
    params = written(tmp_path, text).changed(function="main")
    with pytest.raises(kind) as caught:
        run(params)
    sentence = caught.value.sentence
    assert fragment in sentence
    assert "\n" not in sentence
    assert "mine.py" in sentence
    if line is not None:
        assert f"mine.py:{FIRST_LINE + line}" in sentence
    run(KernelLabParams())  # and the next run is none the worse


def test_that_a_missing_function_is_answered_with_those_that_exist(tmp_path: Path) -> None:
    (tmp_path / "library.py").write_text("def brought(): pass\n")
    params = written(tmp_path, "from library import *\ndef other(): pass").changed(function="absent")
    with pytest.raises(InvalidParams, match=r"has no function 'absent'\. It has brought, other\.$"):
        run(params)


def test_that_an_operation_without_a_meaning_is_named_with_its_line(tmp_path: Path) -> None:
    params = written(
        tmp_path,
        """
        @triton.jit
        def odd_kernel(x_ptr):
            x = tl.load(x_ptr + tl.arange(0, 16))
            y = tl.inline_asm_elementwise("frobnicate.b32 $0, $1;", "=r,r", [x], tl.int32, True, 1)
            tl.store(x_ptr + tl.arange(0, 16), y)

        def main():
            odd_kernel[(1,)](torch.zeros(16, dtype=torch.int32))
        """,
    )
    with pytest.raises(TilescopeError, match=rf"mine\.py:{FIRST_LINE + 3}") as caught:
        run(params)
    assert not isinstance(caught.value, InvalidParams)
    assert "\n" not in caught.value.sentence


LOOP = "def main():\n    while True:\n        double_kernel[(1,)](torch.ones(4), BLOCK=4)"


CATCHING = """
def main():
    for _ in range(50):
        try:
            double_kernel[(1,)](torch.ones(4), BLOCK=4)
        except Exception:
            pass
"""


@pytest.mark.parametrize("text", [LOOP, CATCHING], ids=["endless", "catches every error"])
def test_that_what_was_launched_up_to_the_limit_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    from core.topics.kernel_lab.experiment import limits

    monkeypatch.setattr(limits, "MOST_LAUNCHES", 20)
    result = run(written(tmp_path, text))
    assert result.value("launches") == len(result.launches) == 20
    assert result.trace is not None
    (message,) = result.messages
    assert message.severity == "warning"
    assert "The limit of one trace is 20 launches: main was stopped there" in str(message.text)


def test_that_the_progress_names_the_limit_of_many_launches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.topics.kernel_lab.experiment import limits, tracing

    monkeypatch.setattr(limits, "_MANY_LAUNCHES", 3)
    monkeypatch.setattr(limits, "MOST_LAUNCHES", 6)
    phases = []
    tracing.trace(plan(written(tmp_path, LOOP)), lambda done, total, phase: phases.append(str(phase)))
    assert "launch 3: tracing double_kernel" in phases
    assert "launch 4 of at most 6: tracing double_kernel" in phases


COUNTING = """
@triton.jit
def count(x_ptr, n):
    for i in range(n):
        tl.store(x_ptr, i)

def main():
    count[(1,)](torch.zeros(1), 1 << 30)
"""
WORKING = """
    x = torch.ones(4, device="cuda")
    double_kernel[(1,)](x, BLOCK=4)
    while True:
        x.add_(1)
"""


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is no virtual GPU")
@pytest.mark.parametrize("text", [LOOP, CATCHING, f"def main():{WORKING}"], ids=["endless", "catching", "operations"])
def test_that_what_was_launched_up_to_the_time_limit_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    from core.topics.kernel_lab.experiment import limits

    times = iter(range(10_000))
    monkeypatch.setattr(limits, "monotonic", lambda: next(times))
    result = run(written(tmp_path, text).changed(time_limit_s=30))
    assert result.value("launches") >= 1
    (message,) = result.messages
    assert "The trace reached its time limit of 30 s: main was stopped there" in str(message.text)


def test_that_a_failure_of_tilescope_in_the_search_for_indices_that_will_wrap_keeps_the_findings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.topics.kernel_lab.experiment import foresight

    def fails(*_: object) -> None:
        raise AssertionError("planted")

    monkeypatch.setattr(foresight, "ahead", fails)
    monkeypatch.setattr("core.user_code.own_work.is_own_fault", lambda error: True)
    result = run(written(tmp_path, "def main():\n    double_kernel[(1,)](torch.ones(3, device='cuda'), 4)"))
    assert [fault.kind for fault in result.faults]
    (message,) = result.messages
    assert message.severity == "warning"
    assert "the indices of double_kernel that will wrap (AssertionError: planted" in str(message.text)


def test_that_a_time_limit_before_the_first_launch_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.topics.kernel_lab.experiment import limits

    times = iter(range(10_000))
    monkeypatch.setattr(limits, "monotonic", lambda: next(times))
    with pytest.raises(RunFailed, match="The time limit of 1 s was over before the first launch had ended"):
        run(written(tmp_path, LOOP).changed(time_limit_s=1))


def test_that_a_time_limit_inside_a_kernel_names_line_program_and_iteration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.topics.kernel_lab.experiment import limits

    times = iter(range(10_000))
    monkeypatch.setattr(limits, "monotonic", lambda: next(times))
    with pytest.raises(RunFailed, match=r"iteration [1-9]\d* of the loop at .*py:\d+, in program \(0, 0, 0\) of count"):
        run(written(tmp_path, COUNTING).changed(time_limit_s=30))


@pytest.mark.parametrize("text", [LOOP, CATCHING], ids=["endless", "catches every error"])
def test_that_what_was_traced_up_to_the_size_limit_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    from core.topics.kernel_lab.experiment import limits

    monkeypatch.setattr(limits, "LARGEST_TRACE_BYTES", 10_000)
    result = run(written(tmp_path, text))
    assert 1 < result.value("launches") < 20
    (message,) = result.messages
    assert "The trace reached its limit of 10.0 kB" in str(message.text)
    assert f"holds the {len(result.launches)} launches before it" in str(message.text)


TOO_LARGE = {
    "refused before it runs": "double_kernel[(1 << 30,)](torch.ones(4), BLOCK=4)",
    "of many programs": "grown_kernel[(8_000,)](torch.ones(4096), 40)",
    "of many iterations": "grown_kernel[(1,)](torch.ones(4096), 10**9)",
}


@pytest.mark.parametrize("case", TOO_LARGE)
def test_that_one_launch_beyond_the_limit_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    from core.topics.kernel_lab.experiment import limits

    monkeypatch.setattr(limits, "LARGEST_TRACE_BYTES", 200_000)
    params = written(
        tmp_path,
        f"""
        @triton.jit
        def grown_kernel(x_ptr, n):
            for i in range(n):
                tl.store(x_ptr + (tl.program_id(0) + i) % 4096, i)

        def main():
            {TOO_LARGE[case]}
        """,
    )
    with pytest.raises(RunFailed, match=r"The trace of \w+ does not fit the limit of 200 kB: launch fewer programs"):
        run(params)


@pytest.mark.parametrize(("megabytes", "limit"), [(64, 12_800_000), (2048, 409_600_000), (65536, 1 << 30)])
def test_that_the_trace_takes_a_fifth_of_the_memory_budget(megabytes: int, limit: int) -> None:
    from core.topics.kernel_lab.experiment.limits import trace_limit

    assert trace_limit(megabytes * 1_000_000) == limit


def test_that_endless_launches_stop_when_the_run_is_closed(tmp_path: Path) -> None:
    steps = TOPIC.load_experiment()(written(tmp_path, LOOP), "cpu")
    for _ in range(3):
        next(steps)
    steps.close()


def test_that_an_edit_is_seen_by_the_next_run_even_of_equal_length(tmp_path: Path) -> None:
    (tmp_path / "sizes.py").write_text("N = 4\n")
    text = "from sizes import N\ndef main():\n    double_kernel[({grid},)](torch.ones(N), BLOCK=N)"
    accesses = []
    for grid, size in ((1, 4), (2, 4), (2, 8)):
        params = written(tmp_path, text.format(grid=grid))
        (tmp_path / "sizes.py").write_text(f"N = {size}\n")
        # The same time of change as before: what is run must not be looked up by it.
        for name in ("mine.py", "sizes.py"):
            os.utime(tmp_path / name, (1_000_000_000, 1_000_000_000))
        result = run(params)
        accesses.append(result.value("accesses"))
        assert f"[({grid},)]" in result.files[0].text
    assert accesses == [2 * 1 * 4, 2 * 2 * 4, 2 * 2 * 8]


def test_that_a_file_removed_while_it_runs_is_traced_to_its_end(tmp_path: Path) -> None:
    text = """
    import os
    os.remove(__file__)

    @triton.jit
    def late_kernel(x_ptr):
        tl.store(x_ptr, 1)

    def main():
        double_kernel[(1,)](torch.ones(4), BLOCK=4)
        late_kernel[(1,)](torch.ones(4))
    """
    result = run(written(tmp_path, text))
    assert [row.function for row in result.launches] == ["double_kernel", "late_kernel"]
    assert "late_kernel" in result.files[0].text


NO_SOURCE = {
    "of a module that was removed": "from library import double_kernel as other\n"
    "def main():\n    other[(1,)](torch.ones(4), BLOCK=4)",
    "made by exec": "def main():\n    exec('@triton.jit\\ndef other(x_ptr): pass', globals())",
}


@pytest.mark.parametrize("case", NO_SOURCE)
def test_that_a_kernel_without_a_source_is_one_sentence(tmp_path: Path, case: str) -> None:
    import_and_remove = "\nimport os\nos.remove(__file__)\n"
    (tmp_path / "library.py").write_text(import_and_remove + KERNEL)
    with pytest.raises(TilescopeError, match=r"needs the source of a kernel that cannot be read: .* run again\.$"):
        run(written(tmp_path, NO_SOURCE[case]))


def test_that_an_edited_kernel_is_shown_and_counted_at_its_new_lines(tmp_path: Path) -> None:
    launch = "def main():\n    double_kernel[(1,)](torch.ones(4), BLOCK=4)"
    before = run(written(tmp_path, launch))
    path = tmp_path / "mine.py"
    path.write_text("# one line more\n" + path.read_text())
    after = run(KernelLabParams(file=str(path)))
    assert {row.line for row in after.line_traffic} == {row.line + 1 for row in before.line_traffic}
    assert after.launches[0].first_line == before.launches[0].first_line + 1


@pytest.mark.parametrize("ending", ["double_kernel[(1,)](torch.ones(4), BLOCK=4)", "raise ValueError"])
def test_that_a_run_leaves_nothing_behind(tmp_path: Path, ending: str) -> None:
    (tmp_path / "beside.py").write_text("")
    params = written(tmp_path, f"import beside\nsys.argv.append('more')\ndef main():\n    {ending}")
    run(KernelLabParams())
    before = (list(sys.path), set(sys.modules), list(sys.argv), sys.dont_write_bytecode, sys.stdout)
    if "raise" in ending:
        with pytest.raises(RunFailed):
            run(params)
    else:
        run(params)
    assert (list(sys.path), set(sys.modules), list(sys.argv), sys.dont_write_bytecode, sys.stdout) == before
    assert {path.name for path in tmp_path.iterdir()} == {"mine.py", "beside.py"}


def test_that_a_package_of_the_users_own_wins_against_ours_of_that_name(tmp_path: Path) -> None:
    import kernels

    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels/__init__.py").write_text("SIZE = 16\n")
    params = written(
        tmp_path, "from kernels import SIZE\ndef main():\n    double_kernel[(1,)](torch.ones(SIZE), BLOCK=SIZE)"
    )
    assert run(params).value("accesses") == 2 * 16
    assert sys.modules["kernels"] is kernels


def test_that_what_is_printed_is_in_the_log(tmp_path: Path) -> None:
    result = run(
        written(
            tmp_path,
            """
            print("imported as", __name__, sys.argv)

            def main():
                print("running")
                print("trouble", file=sys.stderr)
                double_kernel[(1,)](torch.ones(4), BLOCK=4)
            """,
        )
    )
    log = {row.stream: row.text for row in result.log}
    assert log["stdout"] == f"imported as mine ['{tmp_path / 'mine.py'}']\nrunning\n"
    assert log["stderr"] == "trouble\n"


def test_that_the_beginning_and_the_end_of_much_output_are_kept(tmp_path: Path) -> None:
    text = "def main():\n    print('start', 'x' * 10**6, 'end')\n    double_kernel[(1,)](torch.ones(4), BLOCK=4)"
    (row,) = run(written(tmp_path, text)).log
    assert len(row.text) < 65536 + 200
    assert row.text.startswith("start x")
    assert row.text.endswith("x end\n")
    assert "[934,475 characters were dropped here" in row.text


def test_that_a_launch_on_import_is_traced_too(tmp_path: Path) -> None:
    launch = "double_kernel[(1,)](torch.ones(4), BLOCK=4)"
    result = run(written(tmp_path, f"{launch}\ndef main():\n    {launch}"))
    assert result.value("launches") == 2
    (row,) = result.files[0].kernels
    assert row.launches == (0, 1)


def test_that_a_kernel_of_another_file_is_shown_with_its_own_source(tmp_path: Path) -> None:
    (tmp_path / "library.py").write_text(KERNEL)
    path = tmp_path / "user.py"
    path.write_text(
        "import torch\nfrom library import double_kernel\ndef go():\n    double_kernel[(1,)](torch.ones(4), BLOCK=4)\n"
    )
    result = run(KernelLabParams(file=str(path)))
    user, library = result.files
    assert (user.file, user.kernels) == (str(path), ())
    assert (library.file, library.text) == (str(tmp_path / "library.py"), KERNEL)
    assert {row.file for row in result.line_traffic} == {library.file}


def test_that_one_tensor_read_and_written_in_place_is_a_limit(tmp_path: Path) -> None:
    result = run(written(tmp_path, "def main():\n    double_kernel[(1,)](torch.ones(4), BLOCK=4)"))
    finding = {claim.id: claim.test(result) for claim in TOPIC.claims}["not-read-back"]
    assert finding.verdict == "holds with a limit"
    assert "x_ptr is both read and written" in str(finding.evidence)


def test_that_a_file_may_ask_triton_for_the_device_and_its_properties_and_nothing_that_needs_a_gpu(
    tmp_path: Path,
) -> None:
    ask = "DEVICE = triton.runtime.driver.active.get_active_torch_device()\n"
    launch = "def main():\n    double_kernel[(1,)](torch.ones(4, device=DEVICE), BLOCK=4)\n"
    properties = "triton.runtime.driver.active.utils.get_device_properties(0)"
    assert run(written(tmp_path, f"{ask}{properties}\n{launch}")).value("accesses") == 8
    if not torch.cuda.is_available():
        with pytest.raises(MissingRequirement, match=rf"mine\.py:{FIRST_LINE}: .* needs a real GPU"):
            run(written(tmp_path, f"{properties}['no_such_property']\n{launch}"))


def test_that_the_kernels_of_a_public_library_are_traced_unmodified(tmp_path: Path) -> None:
    pytest.importorskip("liger_kernel")
    rows, columns = 64, 512
    result = run(
        written(
            tmp_path,
            f"""
            from liger_kernel.ops.rms_norm import LigerRMSNormFunction

            def main():
                x = torch.randn({rows}, {columns}, requires_grad=True)
                weight = torch.randn({columns}, requires_grad=True)
                LigerRMSNormFunction.apply(x, weight, 1e-6, 0.0, "llama", False).sum().backward()
            """,
        )
    )
    forward, backward = result.launches
    assert forward.read_bytes == 2 * rows * columns * 4  # x, and the weights again for each row
    assert forward.written_bytes == (rows * columns + rows) * 4
    assert backward.function == "_rms_norm_backward_kernel"
    assert result.faults == ()
    library = result.files[1]
    text = library.text.splitlines()
    assert all("tl.load" in text[row.line - 1] or "tl.store" in text[row.line - 1] for row in result.line_traffic)


def test_that_a_kernel_that_triton_rejects_is_one_sentence_with_its_line(tmp_path: Path) -> None:
    params = written(
        tmp_path,
        """
        @triton.jit
        def helper(x):
            return x + not_there

        @triton.jit
        def broken_kernel(x_ptr):
            x = tl.load(x_ptr)
            tl.store(x_ptr, helper(x))

        def main():
            broken_kernel[(1,)](torch.zeros(4))
        """,
    )
    with pytest.raises(
        TilescopeError, match=rf"cannot compile broken_kernel at .*mine\.py:{FIRST_LINE + 7}: "
    ) as caught:
        run(params)
    assert "not_there is not defined" in caught.value.sentence
    assert "\n" not in caught.value.sentence


NEEDS_DATA = {
    "the host reads a grid": ("grid = (int(x.sum()) // 16,)", "The host reads what "),
    "the user's code catches the error": (
        "try:\n        grid = (x.tolist()[0] * 2,)\n    except Exception:\n        grid = (1,)",
        "The host reads what ",
    ),
    "a later kernel loads its addresses": ("grid = (4,)", "Addresses depend on what "),
}


@pytest.mark.parametrize("case", NEEDS_DATA)
def test_that_addresses_only_becomes_a_full_trace_where_values_decide_and_says_so(tmp_path: Path, case: str) -> None:
    decide, reason = NEEDS_DATA[case]
    text = f"""
@triton.jit
def gather_kernel(x_ptr, o_ptr):
    index = tl.load(x_ptr + tl.program_id(0))
    tl.store(o_ptr + index + tl.program_id(0), index)

def main():
    x = torch.full((16,), 2, dtype=torch.int32)
    double_kernel[(1,)](x, BLOCK=16)
    {decide}
    gather_kernel[grid](x, torch.zeros(64, dtype=torch.int32))
"""
    params = written(tmp_path, text)
    full, only = run(params), run(params.changed(addresses_only=True))
    assert [launch.grid for launch in only.launches] == ["1 x 1 x 1", full.launches[1].grid]
    assert full.launches[1].grid in ("4 x 1 x 1", "8 x 1 x 1")
    assert only.line_traffic == full.line_traffic
    (message,) = only.messages
    assert message.severity == "notice"
    assert str(message.text).startswith(reason)
    assert "this is a full trace, not one of addresses only" in str(message.text)
    assert full.messages == ()


def test_that_addresses_only_stays_so_where_no_value_decides(tmp_path: Path) -> None:
    params = written(tmp_path, "def main():\n    x = torch.ones(16)\n    double_kernel[(1,)](x, BLOCK=16)\n    x.sum()")
    assert run(params.changed(addresses_only=True)).messages == ()
