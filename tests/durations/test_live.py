"""Which runs may begin by themselves, however short they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.contracts import registry
from core.durations import may_be_live

KERNELS = registry.topic("kernel-lab")


@pytest.mark.parametrize("topic_id", registry.TOPICS)
def test_that_the_default_run_of_every_page_may(topic_id: str) -> None:
    topic = registry.topic(topic_id)
    assert may_be_live(topic, topic.params())


@pytest.mark.parametrize("file", ["resources/examples/../../main.py", "main.py", "~nobody/kernel.py", "a\0b.py"])
def test_that_code_of_the_user_may_not(file: str) -> None:
    assert not may_be_live(KERNELS, KERNELS.params(file=file))


def test_that_a_copy_of_an_example_may_not(tmp_path: Path) -> None:
    example = Path(__file__).resolve().parents[2] / "resources/examples/softmax.py"
    copy = tmp_path / "softmax.py"
    copy.write_bytes(example.read_bytes())
    assert may_be_live(KERNELS, KERNELS.params(file=str(example)))
    assert not may_be_live(KERNELS, KERNELS.params(file=str(copy)))


def test_that_reading_a_checkpoint_or_a_model_of_the_user_may_not() -> None:
    quantization, lora = registry.topic("quantization"), registry.topic("lora")
    assert not may_be_live(quantization, quantization.params(checkpoint="/models/large.safetensors"))
    assert not may_be_live(lora, lora.params(model="/models/llama"))
