"""The model: a small Llama from transformers. Workers only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.language_model.libraries import silent_transformers
from core.language_model.model_config import ModelConfig
from core.language_model.tokenizer import SPECIAL_TOKENS, Special
from core.language_model.torch_state import seeded

if TYPE_CHECKING:
    from torch import nn
    from transformers import LlamaForCausalLM, PreTrainedModel

ATTENTION = "sdpa"


def build_model(config: ModelConfig, vocabulary: int | None = None) -> LlamaForCausalLM:
    """An untrained model on the CPU in float32. The config's seed determines its weights; the global seed stays as is.

    `vocabulary` is the number of tokens and defaults to the config's.
    """
    with silent_transformers(), seeded(config.seed):
        from transformers import LlamaConfig, LlamaForCausalLM

        token_ids = {token: number for number, token in enumerate(SPECIAL_TOKENS)}
        llama_config = LlamaConfig(
            vocab_size=vocabulary or config.vocabulary,
            hidden_size=config.hidden,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            num_key_value_heads=config.heads,
            intermediate_size=config.intermediate,
            max_position_embeddings=config.context,
            tie_word_embeddings=True,
            pad_token_id=token_ids[Special.PAD],
            bos_token_id=token_ids[Special.BOS],
            eos_token_id=token_ids[Special.EOS],
            attn_implementation=ATTENTION,
        )
        return LlamaForCausalLM(llama_config).eval()


def linear_names(model: PreTrainedModel) -> list[str]:
    """Full names of the linear layers inside the blocks, in order: the layers that get adapters or are quantized.

    The output head is not included: it shares its weights with the embedding, or is trained along with it.
    """
    from torch import nn

    head = model.get_output_embeddings()
    # GPT-2 calls its linear layers Conv1D; peft and this project treat them as linear layers.
    return [
        name
        for name, module in model.named_modules()
        if (isinstance(module, nn.Linear) or type(module).__name__ == "Conv1D") and module is not head
    ]


def parameter_count(model: nn.Module, trainable_only: bool = False) -> int:
    """The number of parameters. A shared parameter counts once."""
    return sum(weight.numel() for weight in model.parameters() if weight.requires_grad or not trainable_only)
