"""What a transformers folder holds, found without reading a weight: what it is, what is missing, why it is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.ml.attention.errors import (
    Incomplete, NotAModelFolder, NotForThisModel, PicklesRefused, Quantised, RemoteCodeRefused,
)  # fmt: skip
from studio.ml.attention.values import Kind, Takes
from studio.ml.diffusion.safetensors_header import HeaderUnreadable, read_header

PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".h5", ".msgpack")
TOKENIZERS = (
    "tokenizer.json", "vocab.txt", "vocab.json", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model",
    "spm.model",
)  # fmt: skip
PROCESSORS = ("preprocessor_config.json", "processor_config.json", "image_processor_config.json")
_PAIRS = ("clip", "siglip", "siglip2", "altclip", "chinese_clip", "metaclip_2", "align")
_CAUSAL_ENDS = ("ForCausalLM", "LMHeadModel", "LMHead")
_QUANTISERS = {
    "bitsandbytes": ("bitsandbytes", True), "gptq": ("gptqmodel", True), "awq": ("gptqmodel", True), "hqq": (
        "hqq", True
    ),
    "quanto": ("optimum", False), "torchao": ("torchao", False), "compressed-tensors": ("compressed_tensors", False),
    "fp8": ("kernels", True), "mxfp4": ("kernels", True),
}  # fmt: skip
"""Method of compression -> the package that computes with it, and whether that needs a GPU."""


@dataclass(frozen=True)
class Folder:
    """A folder that can be opened. architecture: class in transformers, "" where the configuration names none."""

    path: Path
    model_type: str
    architecture: str
    kind: Kind
    takes: frozenset[Takes]
    weights: tuple[Path, ...]
    nbytes: int
    config: Mapping[str, Any]

    @property
    def title(self) -> str:
        return self.path.name


def look(place: Path) -> Folder:
    """Look through a folder.

    Raises NotAModelFolder, NotForThisModel, RemoteCodeRefused, Quantised, PicklesRefused, Incomplete.
    """
    config = _config(place)
    model_type = config.get("model_type")
    if not isinstance(model_type, str):
        raise NotAModelFolder(
            f"{place.name}/config.json names no model_type: it is not a model of the transformers library."
        )
    _refuse_code(place, config)
    _refuse_quantised(place, config)
    named = config.get("architectures")
    architecture = str(named[0]) if isinstance(named, list) and named else ""
    kind = _kind(config, model_type, architecture)
    takes = _takes(config, kind)
    files = weight_files(place)
    _require_readers(place, takes)
    return Folder(
        place, model_type, architecture, kind, takes, files, sum(file.stat().st_size for file in files), config
    )


def weight_files(place: Path) -> tuple[Path, ...]:
    """The safetensors files, all shards of them. Raises PicklesRefused, Incomplete for missing or cut-off ones."""
    index = place / "model.safetensors.index.json"
    single = place / "model.safetensors"
    if index.is_file():
        files = tuple(place / name for name in sorted(set(_json(index).get("weight_map", {}).values())))
    elif single.is_file():
        files = (single,)
    else:
        pickle = next((file for file in sorted(place.iterdir()) if file.suffix.lower() in PICKLES), None)
        if pickle is not None:
            raise PicklesRefused(
                f"The weights of {place.name} are in {pickle.name}, a format that can run code while it is read, and "
                "are refused. Get the same model with model.safetensors, or convert it first."
            )
        raise Incomplete(f"{place.name} has no weights: model.safetensors is missing.", ("model.safetensors",))
    missing = tuple(file.name for file in files if not file.is_file())
    if missing:
        raise Incomplete(f"{place.name} is not complete: {', '.join(missing)} of its weights is missing.", missing)
    for file in files:
        _require_whole(file)
    return files


def _config(place: Path) -> dict[str, Any]:
    if not place.is_dir():
        raise NotAModelFolder(f"There is no folder {place}.")
    if (place / "model_index.json").is_file():
        raise NotAModelFolder(f"{place.name} is a diffusion pipeline: open it in Generate or Token attention.")
    if not (place / "config.json").is_file():
        raise NotAModelFolder(
            f"{place.name} has no config.json, so it is not a model folder of transformers. "
            "Choose the folder that holds config.json and model.safetensors."
        )
    return _json(place / "config.json")


def _json(file: Path) -> dict[str, Any]:
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise NotAModelFolder(
            f"{file.parent.name}/{file.name} cannot be read ({error}). Get the file again."
        ) from error
    if not isinstance(values, dict):
        raise NotAModelFolder(f"{file.parent.name}/{file.name} is not a configuration. Get the file again.")
    return values


def _refuse_code(place: Path, config: Mapping[str, Any]) -> None:
    if "auto_map" in config:
        raise RemoteCodeRefused(
            f"{place.name} brings Python code of its own (auto_map), which could do anything on this computer, so it "
            "is not run. Choose a model of a type that transformers knows."
        )


def _refuse_quantised(place: Path, config: Mapping[str, Any]) -> None:
    """Raise Quantised where the weights are compressed and what computes with them is not here."""
    settings = config.get("quantization_config")
    if not isinstance(settings, dict):
        return
    method = str(settings.get("quant_method") or ("bitsandbytes" if "load_in_4bit" in settings else "unknown"))
    package, needs_gpu = _QUANTISERS.get(method, ("", False))
    lacks = _lacks(package, needs_gpu)
    if not package or lacks:
        why = lacks or "no way to compute with it is known here"
        raise Quantised(
            f"The weights of {place.name} are quantised ({method}), and {why}. "
            "Choose the unquantised folder of the model.", method,
        )


def _lacks(package: str, needs_gpu: bool) -> str:
    from importlib.util import find_spec

    if package and find_spec(package) is None:
        return f"the package {package} that computes with them is not installed"
    if needs_gpu:
        import torch

        return "" if torch.cuda.is_available() else "they need a CUDA GPU, and there is none"
    return ""


def _kind(config: Mapping[str, Any], model_type: str, architecture: str) -> Kind:
    """What the model is. Raises NotForThisModel for kinds that are not shown yet."""
    if "ForImageClassification" in architecture:
        return "vision"
    if model_type in _PAIRS and "text_config" in config and "vision_config" in config:
        return "clip"
    if "vision_config" in config or model_type == "vision-encoder-decoder":
        raise NotForThisModel(
            f"Models that read pictures and write text ({model_type}) cannot be shown yet. Choose a text model, a "
            "vision model, or one of the CLIP family."
        )
    if config.get("is_encoder_decoder") is True or model_type == "encoder-decoder":
        return "encoder-decoder"
    if architecture.endswith(_CAUSAL_ENDS):
        return "causal"
    if "patch_size" in config:
        return "vision"
    if "ForMaskedLM" in architecture or "Classification" in architecture:
        return "encoder"
    return "causal" if _is_causal_type(model_type) else "encoder"


def _is_causal_type(model_type: str) -> bool:
    """For configurations that name no head: whether transformers knows it as writing on, and not as filling gaps."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as WRITES
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES as FILLS

    return model_type in WRITES and model_type not in FILLS


def _takes(config: Mapping[str, Any], kind: Kind) -> frozenset[Takes]:
    if kind == "clip":
        return frozenset({"picture", "captions"})
    if kind == "vision":
        return frozenset({"picture"})
    if kind == "encoder-decoder":
        return frozenset({"sound", "target"} if "num_mel_bins" in config else {"text", "target"})
    return frozenset({"text"})


def _require_readers(place: Path, takes: frozenset[Takes]) -> None:
    """Raise Incomplete where there is nothing to read text, pictures or sound with."""
    if takes & {"text", "captions", "target"} and not any((place / name).is_file() for name in TOKENIZERS):
        raise Incomplete(
            f"{place.name} has no tokenizer ({', '.join(TOKENIZERS[:3])} …), so no text can be turned into "
            "its tokens. Fetch the tokenizer's files into the folder.", TOKENIZERS[:1],
        )  # fmt: skip
    if takes & {"picture", "sound"} and not any((place / name).is_file() for name in PROCESSORS):
        raise Incomplete(
            f"{place.name} has no {PROCESSORS[0]}, which says how its input is scaled and cut. "
            "Fetch it into the folder.", PROCESSORS[:1],
        )


def _require_whole(file: Path) -> None:
    try:
        header = read_header(file)
    except HeaderUnreadable as error:
        raise Incomplete(f"{file.name} is damaged ({error}). Get it again.", (file.name,)) from error
    if header.cut_off:
        told = f"{header.found:,} of {header.nbytes:,} bytes are here"
        raise Incomplete(f"{file.name} is cut off: {told}. Let the download finish, or get it again.", (file.name,))
