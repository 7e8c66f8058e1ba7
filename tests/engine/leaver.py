"""A process that ends once nobody writes to it, and leaves another one behind that keeps its stdout open."""

import os
import subprocess
import sys


def main() -> None:
    read, write = os.pipe()
    os.set_inheritable(write, True)
    waits = f"import os; os.read({read}, 1)"
    left = subprocess.Popen([sys.executable, "-c", waits], pass_fds=(read, write), start_new_session=True)
    print(left.pid, flush=True)
    sys.stdin.read()
