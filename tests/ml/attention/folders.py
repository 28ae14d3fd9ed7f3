"""Tiny random models of every architecture, saved to the disk as a person would have them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers as t
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

WORDS = "the a cat dog sat on under red blue apple . , and then again mat hello world old king ran far".split()
TEXT = "the cat sat on the red mat . the dog ran under the old apple"
SIZE = 40
BASE: dict[str, Any] = {
    "vocab_size": SIZE, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
PICTURE: dict[str, Any] = {
    "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48, "image_size": 32, "patch_size": 8,
}  # fmt: skip


def save_tokenizer(folder: Path, *, classes: bool = False, most: int = 64) -> None:
    """Whole words and single letters, with offsets; `classes`: [CLS] in front and [SEP] behind, as BERT has it."""
    special = ["[PAD]", "[CLS]", "[SEP]", "[MASK]", "[UNK]"]
    vocabulary = {word: i for i, word in enumerate([*special, *WORDS])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    if classes:
        made.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)])
    t.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]",
        bos_token="[CLS]", eos_token="[SEP]", model_max_length=most,
    ).save_pretrained(folder)  # fmt: skip


def save_picture_processor(folder: Path, size: int = 32) -> None:
    """A processor that scales, and puts colours between -1 and 1."""
    t.ViTImageProcessorPil(size={"height": size, "width": size}).save_pretrained(folder)


def bert(**more: Any) -> Any:
    return t.BertForMaskedLM(t.BertConfig(**{**BASE, "max_position_embeddings": 64, **more}))


def gpt2(**more: Any) -> Any:
    return t.GPT2LMHeadModel(t.GPT2Config(**{
        "vocab_size": SIZE, "n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 64, "bos_token_id": 1, "eos_token_id": 2, **more,
    }))  # fmt: skip


def llama(**more: Any) -> Any:
    return t.LlamaForCausalLM(t.LlamaConfig(**{**BASE, "num_key_value_heads": 2, "max_position_embeddings": 64, **more}))


def qwen3(**more: Any) -> Any:
    return t.Qwen3ForCausalLM(t.Qwen3Config(**{**BASE, "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 64, **more}))


def gpt_neox(**more: Any) -> Any:
    return t.GPTNeoXForCausalLM(t.GPTNeoXConfig(**{**BASE, "max_position_embeddings": 64, **more}))


def gemma2(**more: Any) -> Any:
    return t.Gemma2ForCausalLM(t.Gemma2Config(**{
        **BASE, "num_key_value_heads": 2, "head_dim": 8, "sliding_window": 6, "max_position_embeddings": 64, "attn_logit_softcapping": 2.0,
        "query_pre_attn_scalar": 8, **more,
    }))  # fmt: skip


def gpt_oss(**more: Any) -> Any:
    return t.GptOssForCausalLM(t.GptOssConfig(**{
        **BASE, "num_key_value_heads": 2, "head_dim": 8, "sliding_window": 6, "max_position_embeddings": 64, "num_local_experts": 2,
        "num_experts_per_tok": 1, "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}, **more,
    }))  # fmt: skip


def deberta(**more: Any) -> Any:
    return t.DebertaV2ForMaskedLM(t.DebertaV2Config(**{
        **BASE, "max_position_embeddings": 64, "relative_attention": True, "position_buckets": 8, "pos_att_type": ["p2c", "c2p"],
        "share_att_key": True, "norm_rel_ebd": "layer_norm", **more,
    }))  # fmt: skip


def albert(**more: Any) -> Any:
    return t.AlbertForMaskedLM(t.AlbertConfig(**{**BASE, "embedding_size": 16, "max_position_embeddings": 64, **more}))


def opt(**more: Any) -> Any:
    return t.OPTForCausalLM(t.OPTConfig(**{
        "vocab_size": SIZE, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "ffn_dim": 48, "word_embed_proj_dim": 32,
        "max_position_embeddings": 64, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, **more,
    }))  # fmt: skip


def bloom(**more: Any) -> Any:
    return t.BloomForCausalLM(t.BloomConfig(**{
        "vocab_size": SIZE, "hidden_size": 32, "n_layer": 3, "n_head": 4, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, **more,
    }))  # fmt: skip


def t5(**more: Any) -> Any:
    return t.T5ForConditionalGeneration(t.T5Config(**{
        "vocab_size": SIZE, "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 3, "num_heads": 4, "decoder_start_token_id": 0,
        "pad_token_id": 0, "eos_token_id": 2, **more,
    }))  # fmt: skip


def bart(**more: Any) -> Any:
    return t.BartForConditionalGeneration(t.BartConfig(**{
        "vocab_size": SIZE, "d_model": 32, "encoder_layers": 3, "decoder_layers": 3, "encoder_attention_heads": 4, "decoder_attention_heads": 4,
        "encoder_ffn_dim": 48, "decoder_ffn_dim": 48, "max_position_embeddings": 64, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
        "decoder_start_token_id": 2, "forced_eos_token_id": None, **more,
    }))  # fmt: skip


def whisper(**more: Any) -> Any:
    return t.WhisperForConditionalGeneration(t.WhisperConfig(**{
        "vocab_size": SIZE, "d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4, "decoder_attention_heads": 4,
        "encoder_ffn_dim": 48, "decoder_ffn_dim": 48, "num_mel_bins": 8, "max_source_positions": 50, "max_target_positions": 32,
        "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1, "suppress_tokens": None,
        "begin_suppress_tokens": None, **more,
    }))  # fmt: skip


def vit(**more: Any) -> Any:
    return t.ViTForImageClassification(t.ViTConfig(**{**PICTURE, "num_labels": 5, **more}))


def dinov2(**more: Any) -> Any:
    return t.Dinov2ForImageClassification(t.Dinov2Config(**{**PICTURE, "num_labels": 5, **more}))


def swin(**more: Any) -> Any:
    return t.SwinForImageClassification(t.SwinConfig(**{
        "image_size": 32, "patch_size": 2, "embed_dim": 16, "depths": [2, 2], "num_heads": [2, 4], "window_size": 4, "num_labels": 5, **more,
    }))  # fmt: skip


def clip(**more: Any) -> Any:
    return t.CLIPModel(t.CLIPConfig(
        text_config={**BASE, "max_position_embeddings": 24, "projection_dim": 16}, vision_config={**PICTURE, "projection_dim": 16},
        projection_dim=16, **more,
    ))  # fmt: skip


def siglip(**more: Any) -> Any:
    return t.SiglipModel(t.SiglipConfig(text_config={**BASE, "max_position_embeddings": 24, "projection_size": 32}, vision_config=PICTURE, **more))


MODELS: dict[str, Callable[..., Any]] = {
    make.__name__: make
    for make in (
        bert, gpt2, llama, qwen3, gpt_neox, t5, bart, whisper, vit, dinov2, swin, clip, siglip, gemma2, deberta, albert, gpt_oss, opt, bloom,
    )
}  # fmt: skip
TEXTS = ("bert", "gpt2", "llama", "qwen3", "gpt_neox", "gemma2", "deberta", "albert", "gpt_oss", "opt", "bloom")
FILLS = ("bert", "deberta", "albert")
BOTH = ("t5", "bart")
PICTURES = ("vit", "dinov2", "swin")
PAIRS = ("clip", "siglip")
LARGER = {
    "t5": 1, "siglip": 1, "gpt2": 6, "opt": 6, "bloom": 6, "llama": 6, "gemma2": 6, "gpt_oss": 6, "bert": 10, "albert": 10, "deberta": 10, "vit": 10, "dinov2": 10,
    "swin": 10,
}  # fmt: skip
"""Factor on the weights of those that begin with large ones, or norm what they have."""


def save(name: str, folder: Path, *, seed: int = 0, shards: str = "", **more: Any) -> Path:
    """Make a model, save it with all it needs, and forget it. Weights are larger than at the start of training, so that
    attention is far from even.
    """
    torch.manual_seed(seed)
    model = MODELS[name](**more)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.mul_(LARGER.get(name, 3))
    model.save_pretrained(folder, **({"max_shard_size": shards} if shards else {}))
    if name not in PICTURES:
        config = model.config.get_text_config()
        most = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None) or 64
        save_tokenizer(folder, classes=name in ("bert", "deberta", "albert", "clip"), most=int(most))
    if name in (*PICTURES, *PAIRS):
        save_picture_processor(folder)
    if name == "whisper":
        t.WhisperFeatureExtractor(feature_size=8, chunk_length=1).save_pretrained(folder)
    return folder
