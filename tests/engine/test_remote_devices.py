"""Devices that the user added: what is remembered of them, what is said of them, and the commands that start them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.contracts.errors import InvalidParams
from core.engine import credentials
from core.engine.addresses import SchedulerAddress
from core.engine.inspection import DeviceReport, _report
from core.engine.remote_device import MAX_NAME, RemoteDevice, parse_device, read_device
from core.engine.report_wording import rows, summary, title
from core.engine.setup_commands import setup_steps
from core.engine.worker_facts import WorkerFacts, facts_of_this_process
from core.hardware.gpu_load import GpuLoad, gpu_loads, parsed_load

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=12), inside, max_size=4),
    max_leaves=8,
)


def test_that_a_device_has_the_name_of_its_host_unless_it_gets_one() -> None:
    assert parse_device("", "gpu-box:9000", "", insecure=False) == RemoteDevice("gpu-box", "tls://gpu-box:9000")
    assert parse_device(" lab ", "tls://[::1]:1", "~/keys", insecure=False).name == "lab"


@pytest.mark.parametrize(
    ("name", "taken"), [("cpu", ()), ("AUTO", ()), ("lab", ("Lab",)), ("a\nb", ()), ("x" * 41, ())]
)
def test_that_a_name_that_cannot_be_is_blamed(name: str, taken: tuple[str, ...]) -> None:
    with pytest.raises(InvalidParams) as caught:
        parse_device(name, "host:1", "", insecure=False, taken=taken)
    assert caught.value.field == "name"


def test_that_a_device_is_remembered_as_it_is() -> None:
    for device in (RemoteDevice("lab", "tls://host:1", "/keys"), RemoteDevice("open", "tcp://host:1")):
        assert read_device(device.as_json()) == device
        assert read_device(device.as_json(), taken=[device.name.upper()]) is None


@given(JSON)
def test_that_damaged_settings_are_no_device(stored: Any) -> None:
    assert read_device(stored) is None


@given(name=st.text(max_size=50), url=st.text(max_size=50))
def test_that_whatever_is_read_is_a_device_that_could_be_typed(name: str, url: str) -> None:
    device = read_device({"name": name, "url": url, "credentials": ""})
    assert device is None or (0 < len(device.name) <= MAX_NAME and device.name.isprintable())


def test_that_the_commands_have_the_address_the_port_and_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "my keys"
    commands = [step.command for step in setup_steps(SchedulerAddress("tls://gpu-box:9000", folder))]
    assert commands == [
        f"python main.py credentials --folder '{folder}'",
        f"scp -r '{folder}' gpu-box:tilescope-credentials",
        "python main.py scheduler --port 9000 --folder tilescope-credentials",
        "python main.py worker tls://gpu-box:9000 --folder tilescope-credentials",
    ]
    folder.mkdir()
    for name in (credentials.CERTIFICATE, credentials.KEY):
        (folder / name).touch()
    assert [step.command for step in setup_steps(SchedulerAddress("tls://gpu-box:9000", folder))] == commands[1:]


def test_that_a_device_without_encryption_needs_no_credentials_and_this_machine_no_copy(tmp_path: Path) -> None:
    steps = setup_steps(SchedulerAddress("tcp://gpu-box:1"))
    assert [step.command for step in steps] == [
        "python main.py scheduler --port 1 --insecure",
        "python main.py worker tcp://gpu-box:1 --insecure",
    ]
    here = [step.command for step in setup_steps(SchedulerAddress("tls://127.0.0.1:1", tmp_path))]
    assert here == [
        f"python main.py credentials --folder {tmp_path}",
        f"python main.py scheduler --host 127.0.0.1 --port 1 --folder {tmp_path}",
        f"python main.py worker tls://127.0.0.1:1 --folder {tmp_path}",
    ]


def test_that_an_ipv6_address_has_its_brackets_in_every_command() -> None:
    here = [step.command for step in setup_steps(SchedulerAddress("tcp://[::1]:1"))]
    assert here[0] == "python main.py scheduler --host '[::1]' --port 1 --insecure"
    there = [step.command for step in setup_steps(SchedulerAddress("tls://[2001:db8::1]:1"))]
    assert there[-3].endswith(" '[2001:db8::1]:tilescope-credentials'")
    assert there[-2].startswith("python main.py scheduler --host '[::]' --port 1")
    assert there[-1].startswith("python main.py worker 'tls://[2001:db8::1]:1'")


def test_that_a_gpu_is_read_from_what_the_driver_says() -> None:
    h200 = GpuLoad("NVIDIA H200", 143_771 << 20, 1 << 20, 0.37)
    assert parsed_load("NVIDIA H200, 143771, 1, 37") == h200
    assert parsed_load("NVIDIA H200 MIG 1g, 18g, [N/A], 0, [N/A]") == GpuLoad("NVIDIA H200 MIG 1g, 18g", None, 0, None)
    assert parsed_load("No devices were found") is None
    assert gpu_loads(" ") == ()


FACTS = facts_of_this_process(runs=0)


def test_that_a_worker_of_this_version_is_told_with_its_machine_its_gpu_and_its_versions() -> None:
    gpu = {"name": "NVIDIA H200", "total_memory_bytes": 150 * 10**9, "used_memory_bytes": 10**9, "utilization": 0.5}
    worker = _report("tls://10.0.0.1:1", {"facts": {**FACTS.model_dump(mode="json"), "gpus": [gpu], "runs": 1}})
    assert worker.facts is not None
    assert not worker.problem
    shown = {str(name): str(value) for name, value in rows(worker.facts)}
    assert shown["GPU"] == "NVIDIA H200, 149 GB free of 150 GB, load 50%"
    assert f"torch {FACTS.versions['torch']}" in shown["Versions"]
    assert str(title(worker)).endswith("tls://10.0.0.1:1")
    assert str(summary(DeviceReport((worker,), 0.25))) == "1 worker, which is busy; it answered in 250 ms."


def test_that_a_worker_of_another_version_is_said_to_be_one() -> None:
    other = {**FACTS.model_dump(mode="json"), "versions": {"tilescope": "9.9.9"}}
    assert "The worker has Tilescope 9.9.9" in str(_report("w", {"facts": other}).problem)
    for kind in ("AttributeError", "ModuleNotFoundError"):
        assert "no Tilescope, or another version" in str(_report("w", {"error": kind}).problem)
    assert "does not answer" in str(_report("w", {"error": "TimeoutError"}).problem)


@given(JSON)
def test_that_whatever_a_worker_says_is_one_report(answer: Any) -> None:
    for said in (answer, {"facts": answer}, {"error": answer}):
        assert _report("w", said).problem


def test_that_a_scheduler_without_workers_is_said_to_have_none() -> None:
    assert "it has no worker" in str(summary(DeviceReport((), 0.1)))


def test_that_the_facts_of_a_worker_survive_the_way_here() -> None:
    assert WorkerFacts.model_validate(FACTS.model_dump(mode="json")) == FACTS
