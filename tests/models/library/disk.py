"""Small models as they lie on a disk: safetensors by their headers, pipelines, the Hugging Face cache."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

REVISION = "462165984030d82259a11f4367a4eed129e94a7b"
UNET = {"in_channels": 4, "cross_attention_dim": 768, "sample_size": 64}
VAE = {"block_out_channels": [128, 256, 512, 512], "latent_channels": 4}


def weights(path: Path, shapes: Mapping[str, Sequence[int]], *, dtype: str = "float16", **metadata: str) -> Path:
    """A safetensors file of zeros, written by the format's own library."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: np.zeros(shape, dtype) for name, shape in shapes.items()}, path, metadata or None)
    return path


def write_json(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def pipeline(folder: Path, made_by: str = "StableDiffusionPipeline", **parts: tuple[str, Mapping[str, Any]] | None) -> Path:
    """A diffusers folder: of each part its class and its configuration, or None to do without; networks have three numbers."""
    whole: dict[str, tuple[str, Mapping[str, Any]] | None] = {
        "scheduler": ("PNDMScheduler", {}),
        "tokenizer": ("CLIPTokenizer", {}),
        "text_encoder": ("CLIPTextModel", {"hidden_act": "quick_gelu"}),
        "unet": ("UNet2DConditionModel", UNET),
        "vae": ("AutoencoderKL", VAE),
        **parts,
    }
    index: dict[str, Any] = {"_class_name": made_by, "_diffusers_version": "0.30.0", "safety_checker": [None, None]}
    for name, part in whole.items():
        if part is None:
            continue
        kind, settings = part
        index[name] = ["transformers" if name.startswith("t") else "diffusers", kind]
        if name == "scheduler":
            write_json(folder / name / "scheduler_config.json", settings)
        elif name.startswith("tokenizer"):
            write_json(folder / name / "tokenizer_config.json", settings)
        else:
            write_json(folder / name / "config.json", settings)
            file = "model.safetensors" if name.startswith("text") else "diffusion_pytorch_model.safetensors"
            weights(folder / name / file, {"w": (3,)})
    write_json(folder / "model_index.json", index)
    return folder


def transformer(folder: Path, model_type: str = "bert", **config: Any) -> Path:
    write_json(folder / "config.json", {"model_type": model_type, **config})
    weights(folder / "model.safetensors", {"embeddings": (4, 5)}, dtype="float32")
    return folder


def snapshot(cache: Path, repo: str, revision: str = REVISION, reference: str = "main") -> Path:
    """The folder of a revision in the Hugging Face cache, to be filled."""
    base = cache / f"models--{repo.replace('/', '--')}"
    for name in ("blobs", "refs", f"snapshots/{revision}"):
        (base / name).mkdir(parents=True, exist_ok=True)
    if reference:
        (base / "refs" / reference).write_text(revision)
    return base / "snapshots" / revision


def linked(folder: Path) -> None:
    """Turn the files of a snapshot into links to blobs, as on Linux."""
    blobs = folder.parents[1] / "blobs"
    for i, file in enumerate(sorted(path for path in folder.rglob("*") if path.is_file())):
        blob = blobs / f"{i:064x}"
        file.rename(blob)
        file.symlink_to(blob)
