"""Well-known models by their shapes alone: transformers' own configuration classes, no weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from studio.ml.anatomy.blueprint import Blueprint

SHAPES_ONLY = "Shapes only: built from the configuration class of transformers, without weights."


@dataclass(frozen=True)
class Preset:
    """title; the model_type of the configuration; what differs from that class's defaults; the class to build."""

    title: str
    model_type: str
    model_class: str
    changes: Mapping[str, Any] = field(default_factory=dict)


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "bert-base": Preset("BERT-base", "bert", "BertModel"),
        "roberta-base": Preset("RoBERTa-base", "roberta", "RobertaModel", {"max_position_embeddings": 514}),
        "distilbert": Preset("DistilBERT-base", "distilbert", "DistilBertModel"),
        "gpt2": Preset("GPT-2 (124 M)", "gpt2", "GPT2LMHeadModel"),
        "gpt2-xl": Preset("GPT-2 XL", "gpt2", "GPT2LMHeadModel", {"n_embd": 1600, "n_layer": 48, "n_head": 25}),
        "vit-b16": Preset("ViT-B/16", "vit", "ViTModel"),
        "vit-l16": Preset(
            "ViT-L/16", "vit", "ViTModel",
            {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096},
        ),
        "dinov2-base": Preset("DINOv2-base", "dinov2", "Dinov2Model", {"image_size": 518, "patch_size": 14}),
        "clip-b32": Preset("CLIP-B/32", "clip", "CLIPModel"),
        "siglip-b16": Preset("SigLIP-B/16", "siglip", "SiglipModel"),
        "t5-small": Preset("T5-small", "t5", "T5ForConditionalGeneration"),
        "bart-large": Preset("BART-large", "bart", "BartForConditionalGeneration"),
        "whisper-tiny": Preset("Whisper-tiny", "whisper", "WhisperForConditionalGeneration"),
        "llama-7b": Preset("Llama-7B", "llama", "LlamaForCausalLM"),
        "llama-70b": Preset(
            "Llama-2-70B", "llama", "LlamaForCausalLM",
            {
                "hidden_size": 8192, "intermediate_size": 28672, "num_hidden_layers": 80, "num_attention_heads": 64,
                "num_key_value_heads": 8, "max_position_embeddings": 4096,
            },
        ),
        "mistral-7b": Preset("Mistral-7B", "mistral", "MistralForCausalLM"),
        "gemma2-9b": Preset(
            "Gemma-2-9B", "gemma2", "Gemma2ForCausalLM",
            {
                "hidden_size": 3584, "intermediate_size": 14336, "num_hidden_layers": 42, "num_attention_heads": 16,
                "num_key_value_heads": 8, "head_dim": 256,
            },
        ),
        "qwen3-8b": Preset(
            "Qwen3-8B", "qwen3", "Qwen3ForCausalLM",
            {
                "hidden_size": 4096, "intermediate_size": 12288, "num_hidden_layers": 36, "num_attention_heads": 32,
                "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 151936,
            },
        ),
        "gpt-neox-20b": Preset("GPT-NeoX-20B", "gpt_neox", "GPTNeoXForCausalLM"),
    }
)  # fmt: skip


def preset(name: str) -> Blueprint:
    """The blueprint of a preset. Raises KeyError."""
    found = PRESETS[name]
    config = {"model_type": found.model_type, **found.changes}
    return Blueprint(found.title, "preset", config, found.model_class, notes=(SHAPES_ONLY,))
