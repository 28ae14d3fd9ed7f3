"""Known families of transformers: where each has biases, norms and gates, read off its configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from studio.ml.anatomy.shape import BlockShape, Kind, Term

Traits = Mapping[str, Any]
"""Fields of a BlockShape that are not sizes."""
_Reader = Callable[[Any], Traits]

_PLAIN: Traits = MappingProxyType({})
_BARE: Traits = MappingProxyType({"qkv_bias": False, "out_bias": False, "ffn_bias": False, "norm_bias": False})
_GATED: Traits = MappingProxyType({**_BARE, "gated": True})


def _plain(config: Any) -> Traits:
    return _PLAIN


def _vit(config: Any) -> Traits:
    return {"qkv_bias": bool(getattr(config, "qkv_bias", True))}


def _dinov2(config: Any) -> Traits:
    return {**_vit(config), "scales": 2, "gated": bool(config.use_swiglu_ffn)}


def _neox(config: Any) -> Traits:
    biased = bool(getattr(config, "attention_bias", True))
    return {"qkv_bias": biased, "out_bias": biased}


def _whisper(config: Any) -> Traits:
    return {"key_bias": False}


def _t5(config: Any) -> Traits:
    return {**_BARE, "gated": bool(config.is_gated_act)}


def _llama(config: Any) -> Traits:
    biased = bool(getattr(config, "attention_bias", False))
    return {**_GATED, "qkv_bias": biased, "out_bias": biased, "ffn_bias": bool(getattr(config, "mlp_bias", False))}


def _mistral(config: Any) -> Traits:
    return _GATED


def _qwen2(config: Any) -> Traits:
    return {**_GATED, "qkv_bias": True}


def _qwen3(config: Any) -> Traits:
    return {**_llama(config), "ffn_bias": False, "head_norm": True}


def _gemma(config: Any) -> Traits:
    return {**_llama(config), "ffn_bias": False}


def _gemma2(config: Any) -> Traits:
    return {**_gemma(config), "norms": 4}


FAMILIES: Mapping[str, _Reader] = MappingProxyType(
    {
        "bert": _plain, "roberta": _plain, "xlm-roberta": _plain, "camembert": _plain, "electra": _plain,
        "distilbert": _plain, "gpt2": _plain, "vit": _vit, "deit": _vit, "dinov2": _dinov2, "clip_text_model": _plain,
        "clip_vision_model": _plain, "siglip_text_model": _plain, "siglip_vision_model": _plain, "bart": _plain,
        "mbart": _plain, "whisper": _whisper, "t5": _t5, "mt5": _t5, "gpt_neox": _neox, "llama": _llama,
        "mistral": _mistral, "qwen2": _qwen2, "qwen3": _qwen3, "gemma": _gemma, "gemma2": _gemma2,
    }
)  # fmt: skip
"""model_type -> what is particular about its blocks."""

NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "width": ("hidden_size", "d_model", "n_embd", "dim"),
        "layers": ("num_hidden_layers", "n_layer", "num_layers"),
        "heads": ("num_attention_heads", "n_head", "num_heads"),
        "kv_heads": ("num_key_value_heads",),
        "head_dim": ("head_dim", "d_kv"),
        "inner": ("intermediate_size", "d_ff", "n_inner", "hidden_dim"),
        "encoder layers": ("encoder_layers", "num_hidden_layers", "num_layers"),
        "decoder layers": ("decoder_layers", "num_decoder_layers", "num_hidden_layers"),
        "encoder heads": ("encoder_attention_heads", "num_attention_heads"),
        "decoder heads": ("decoder_attention_heads", "num_attention_heads"),
        "encoder inner": ("encoder_ffn_dim", "intermediate_size", "d_ff"),
        "decoder inner": ("decoder_ffn_dim", "intermediate_size", "d_ff"),
    }
)
"""A size -> the names configurations have for it."""


def name_of(config: Any, size: str, kind: Kind | None = None) -> str:
    """The attribute of a configuration that holds a size of a stack; "" where it has none."""
    names = NAMES.get(f"{kind} {size}", NAMES[size])
    return next((name for name in names if getattr(config, name, None) is not None), "")


def block_shape(config: Any, kind: Kind, *, cross: bool = False) -> tuple[BlockShape, bool]:
    """The block a configuration of transformers describes, and whether its family is known to the last parameter.

    cross: whether the block has cross-attention. Of an unknown family only the large matrices are assumed. Raises
    AttributeError where the configuration names no width or no heads.
    """
    width, heads = (int(getattr(config, name_of(config, size, kind))) for size in ("width", "heads"))
    family = str(getattr(config, "model_type", ""))
    reader = FAMILIES.get(family)
    traits: dict[str, Any] = dict(reader(config) if reader else _BARE)
    if reader is None:
        traits |= {"norms": 0, "gated": _looks_gated(config)}
    traits["norms"] = traits.get("norms", 2) + (cross and reader is not None)
    return (
        BlockShape(
            width=width,
            heads=heads,
            kv_heads=_number(config, "kv_heads", kind) or heads,
            head_dim=_number(config, "head_dim", kind) or max(1, width // heads),
            inner=_inner(config, kind, width),
            cross=cross,
            **traits,
        ),
        reader is not None,
    )


def once_terms(config: Any) -> tuple[Term, ...]:
    """What the first layer of a stack has for all of them."""
    if getattr(config, "model_type", "") not in ("t5", "mt5"):
        return ()
    rows, heads = int(config.relative_attention_num_buckets), int(config.num_heads)
    return (Term("relative positions", "buckets·H, once", f"{rows}·{heads}", rows * heads),)


def _looks_gated(config: Any) -> bool:
    return str(getattr(config, "hidden_act", "")) in ("silu", "swish") or bool(getattr(config, "is_gated_act", False))


def _number(config: Any, size: str, kind: Kind) -> int:
    name = name_of(config, size, kind)
    return int(getattr(config, name)) if name else 0


def _inner(config: Any, kind: Kind, width: int) -> int:
    ratio = getattr(config, "mlp_ratio", None)
    if isinstance(ratio, (int, float)) and ratio > 0:
        hidden = int(width * ratio)
        # as Dinov2SwiGLUFFN has it: two thirds, up to a multiple of 8
        return (int(hidden * 2 / 3) + 7) // 8 * 8 if getattr(config, "use_swiglu_ffn", False) else hidden
    found = _number(config, "inner", kind)
    return found or 4 * width
