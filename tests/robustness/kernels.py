"""Hostile kernel files, traced through an engine. After each one, the same engine traces a good file."""

from __future__ import annotations

import os
import textwrap
from functools import cache
from pathlib import Path
from random import Random

from core.contracts.errors import TilescopeError
from core.engine import Engine
from core.engine.runs import RunCancelled
from tests.robustness.attempt import Attempt, Fault, why_not_clear
from tests.robustness.damage import damaged

LIMIT_S = 90.0
_RUNS_ON_S = 6.0
"""A file that never ends is cancelled after this time."""

GOOD = """
import os, sys
import torch
import triton
import triton.language as tl

@triton.jit
def copy(x, y, n, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(y + offsets, tl.load(x + offsets, mask=offsets < n), mask=offsets < n)

def launch(grid=(1,), size=16, dtype=torch.float32):
    x = torch.ones(size, dtype=dtype)
    copy[grid](x, torch.empty_like(x), size, BLOCK=16)
"""

_BODIES = (
    # What it breaks in its own process.
    'launch()\nsys.modules["triton"] = None',
    "tl.load = None\nlaunch()",
    "launch()\nos.closerange(3, 256)",
    "launch()\nos.close(1)\nos.close(2)",
    "torch.empty = None\nlaunch()",
    "import builtins; builtins.len = None",
    'launch()\nos.chdir("/")',
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\nlaunch()",
    "sys.setrecursionlimit(50)\nlaunch()",
    "sys.stdout = None\nlaunch()",
    "os.environ.clear()\nlaunch()",
    "import gc; gc.disable()\nlaunch()",
    "sys.settrace(lambda *a: 1/0)\nlaunch()",
    "sys.meta_path.clear()\nlaunch()",
    # How it ends.
    "sys.exit(3)",
    'sys.exit("bye")',
    "raise KeyboardInterrupt",
    "raise GeneratorExit",
    "os._exit(0)",
    "os._exit(3)",
    "os.abort()",
    "os.kill(os.getpid(), 9)",
    "os.kill(os.getpid(), 11)",
    "import ctypes; ctypes.string_at(0)",
    'class Mine(BaseException): pass\nraise Mine("so")',
    "def f(): f()\nf()",
    "raise MemoryError",
    "raise StopIteration",
    'raise ValueError("x" * 1_000_000)',
    'raise ValueError("\\x1b[2J\\x00")',
    "raise SystemError",
    "assert False",
    "1/0",
    "class E(Exception):\n    def __str__(self): raise ValueError\nraise E",
    'raise UnicodeDecodeError("utf-8", b"x", 0, 1, "y")',
    # What it starts.
    'import subprocess; subprocess.Popen(["sleep", "600.25"])\nlaunch()',
    'import subprocess; subprocess.Popen(["sleep", "600.25"], start_new_session=True)\nlaunch()',
    "import threading, time\nthreading.Thread(target=lambda: time.sleep(600)).start()\nlaunch()",
    "import tempfile; tempfile.mkdtemp()\nlaunch()",
    "import atexit; atexit.register(lambda: os._exit(1))\nlaunch()",
    "if os.fork() == 0:\n    while True: pass\nlaunch()",
    # What it never ends.
    "while True: pass",
    "import time; time.sleep(600)",
    'import re; re.match(r"(a+)+$", "a" * 64 + "b")',
    "sys.stdin.read()",
    'print("x" * 1000) or [print("y" * 1000) for _ in range(200_000)]',
    "launch()\nwhile True: launch()",
    # What it launches.
    "launch(())",
    "launch(None)",
    'launch("x")',
    "launch((0,))",
    "launch((-1,))",
    "launch((2**31,))",
    "launch((1, 70_000))",
    "launch((1, 1, 70_000))",
    "launch((1, 1, 1, 1))",
    "launch((1.5,))",
    "launch((10**400,))",
    "launch(([1],))",
    "launch(lambda meta: 1/0)",
    "launch(size=0)",
    "launch(dtype=torch.complex64)",
    "launch(dtype=torch.bool)",
    "launch((2_000_000,))",
    "copy[(1,)](None, None, 1, BLOCK=16)",
    "copy[(1,)](1, 2, 3, BLOCK=16)",
    "copy[(1,)]()",
    "x = torch.ones(4)\ncopy[(8,)](x, x, 10**9, BLOCK=16)",
    "x = torch.ones(4)\ncopy[(1,)](x, x, 4, BLOCK=15)",
    "x = torch.ones(4)\ncopy[(1,)](x, x, 4, BLOCK=1 << 30)",
    "x = torch.ones(4, device='meta')\ncopy[(1,)](x, x, 4, BLOCK=16)",
    "x = torch.ones(4)\ncopy[(1,)](x, x, float('nan'), BLOCK=16)",
    "x = torch.sparse_coo_tensor([[0]], [1.0], (4,))\ncopy[(1,)](x, x, 4, BLOCK=16)",
    "pass",
    "for _ in range(3): launch((1 << 14,), 1 << 18)",
    # What becomes of its file.
    "os.unlink(__file__)\nlaunch()",
    'open(__file__, "w").write("x" * 1000)\nlaunch()',
    "os.unlink(__file__); os.mkfifo(__file__)\nlaunch()",
)

_KERNEL = "import torch, triton, triton.language as tl\n@triton.jit\ndef k(x):\n"
_LAUNCH = "\ndef main(): k[(1,)](torch.ones(1))\n"

_TEXTS = (
    "def main(:",
    "",
    "\x00",
    "﻿def main(): pass",
    "# coding: nowhere\ndef main(): pass",
    "\tdef main(): pass\n  x",
    "import nowhere\ndef main(): pass",
    "import sys; sys.exit(1)\ndef main(): pass",
    "raise Exception\ndef main(): pass",
    "import os; os._exit(7)\ndef main(): pass",
    "while True: pass\ndef main(): pass",
    "main = 3",
    "main = None\ndef main2(): pass",
    "async def main(): pass",
    "def main(x): pass",
    "def main(): yield 1",
    "class main: pass",
    "main = print",
    "def " + "x" * 100_000 + "(): pass",
    "\n".join(f"def f{n}(): pass" for n in range(5_000)),
    "(" * 5_000,
    "x = " + "-" * 50_000 + "1",
    "from nowhere import *",
    "def main(): return main()",
    "def main():\n  exec('1/0')",
    "# \ud83d\ndef main(): pass",
    "lambda: " * 3_000 + "1",
    "import sys; sys.modules[__name__] = None\ndef main(): pass",
    "__name__ = 'x'; del __file__\ndef main(): pass",
    "import triton, triton.language as tl\n@triton.jit\ndef k(x):\n    y = nowhere\ndef main(): k[(1,)](1)",
    _KERNEL + "    while True: x += 1" + _LAUNCH,
    _KERNEL + "    while tl.load(x) > 0: tl.store(x, 1.0)" + _LAUNCH,
)


def attempts(number: int, rng: Random, folder: Path) -> Attempt:
    """A hostile body, then a hostile text, bytes that are no text, or what is no file."""
    file = folder / "mine.py"
    position, way = number // 4 if number % 4 == 3 else number - number // 4, number % 4
    if way < 3:
        body = _BODIES[position % len(_BODIES)]
        name = body
        file.write_text(GOOD + "\ndef main():\n" + textwrap.indent(body, "    ") + "\n")
    else:
        name, file = _odd_file(position, rng, file)

    def work() -> None:
        _run(file)
        _check_next(folder)

    return Attempt(name[:100].replace("\n", "; "), work, limit_s=2 * LIMIT_S)


def _odd_file(position: int, rng: Random, file: Path) -> tuple[str, Path]:
    if position % 2 == 0:
        text = _TEXTS[position // 2 % len(_TEXTS)]
        file.write_bytes(text.encode("utf-8", "surrogatepass"))
        return text[:100], file
    way = rng.choice(["bytes", "bytes", "bytes", "pipe", "zero", "folder", "name", "large"])
    if way == "bytes":
        data = damaged((GOOD + "\ndef main():\n    launch()\n").encode(), rng)
        file.write_bytes(data)
    elif way == "pipe":
        os.mkfifo(file)
    elif way == "zero":
        file.symlink_to("/dev/zero")
    elif way == "folder":
        file.mkdir()
    elif way == "large":
        file.write_text("#" * (5 << 20))
    else:
        file = Path(
            os.fsdecode(
                os.fsencode(file.parent) + rng.choice([b"/\xff.py", b"/\x1b[2J.py", b"/a b\n.py", b"/%s{0}.py"])
            )
        )
        file.write_text(GOOD + "\ndef main():\n    launch()\n")
    return way, file


def _run(file: Path) -> None:
    run = _engine().submit("kernel-lab", {"file": str(file)}, "cpu")
    try:
        try:
            run.result(_RUNS_ON_S)
        except TimeoutError:
            run.cancel()
            run.result(LIMIT_S)
    except TimeoutError:
        raise Fault(f"no answer {LIMIT_S:.0f} s after a cancel") from None
    except RunCancelled:
        pass
    except TilescopeError as error:
        problem = why_not_clear(error.sentence)
        if problem:
            raise Fault(problem) from None


def _check_next(folder: Path) -> None:
    good = folder / "good.py"
    good.write_text(GOOD + "\ndef main():\n    launch()\n")
    try:
        _engine().submit("kernel-lab", {"file": str(good)}, "cpu").result(LIMIT_S)
    except (TimeoutError, TilescopeError) as error:
        raise Fault(f"the next run did not finish: {error}") from None


@cache
def _engine() -> Engine:
    engine = Engine(warm_up=False, grace_s=0.5)
    engine.start()
    return engine


def close() -> None:
    _engine().close()
    _engine.cache_clear()
