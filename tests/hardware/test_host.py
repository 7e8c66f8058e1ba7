import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.hardware import host


@pytest.fixture(autouse=True)
def _clear_caches() -> Iterator[None]:
    host.cpu_name.cache_clear()
    host.nvidia_gpu_names.cache_clear()
    yield
    host.cpu_name.cache_clear()
    host.nvidia_gpu_names.cache_clear()


def put_nvidia_smi(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_that_the_host_has_a_name_cores_and_memory() -> None:
    facts = host.host_facts()

    assert facts.cpu_name
    assert facts.cores >= 1
    assert 0 < facts.available_memory_bytes <= facts.total_memory_bytes


def test_that_every_gpu_the_driver_lists_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_nvidia_smi(tmp_path, monkeypatch, "echo 'NVIDIA H200'; echo 'NVIDIA H200'")

    assert host.host_facts().gpu_names == ("NVIDIA H200", "NVIDIA H200")


@pytest.mark.parametrize("script", ["echo 'driver mismatch'; exit 9", "sleep 5", "printf '\\377\\376'"])
def test_that_a_broken_driver_is_no_gpu_and_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    monkeypatch.setattr(host, "_TIMEOUT_S", 0.2)
    put_nvidia_smi(tmp_path, monkeypatch, script)

    assert host.host_facts().gpu_names == ()


def test_that_a_container_limit_counts_as_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "memory.max").write_text("3000000\n")
    (tmp_path / "memory.current").write_text("2500000\n")
    (tmp_path / "memory.stat").write_text("anon 1000000\ninactive_file 1500000\n")
    monkeypatch.setattr(host, "_CGROUP", tmp_path)

    facts = host.host_facts()

    assert (facts.total_memory_bytes, facts.available_memory_bytes) == (3_000_000, 2_000_000)


def test_that_the_host_is_examined_without_torch() -> None:
    script = "import sys; from core.hardware.host import host_facts; host_facts(); sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", script], timeout=60).returncode == 0
