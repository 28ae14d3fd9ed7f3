"""“Copy as Python” for public models: the request as a script around the pipeline and what listens to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.models.external import lora_of
from studio_plugins.tokens.request import TokensRequest

_TEMPLATE = '''\
"""Where each word acts: {title}

Made by Glassbox Studio. Run it with the Python that has the studio installed; no window is opened.
Picture and maps are the same bit for bit on the same device with the same number of threads, torch {torch} and
diffusers {diffusers}.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from studio.ml.diffusion.attention_maps import AttentionMaps, View
from studio.ml.diffusion.external.asked import {names}
from studio.ml.diffusion.external.attention import attention_layers, traced
from studio.ml.diffusion.external.loading import load_external
from studio.ml.diffusion.external.prompts import text_of

PROMPT = {prompt!r}

{threads}DEVICE = {device}
model = load_external(Path({model!r}), device=DEVICE, dtype=torch.{dtype}, offload={offload!r}, tiling={tiling!r})
pieces = text_of(model.pipeline, PROMPT).pieces
layers = attention_layers(model, (model.native_size, model.native_size))
{choice}
asked = Asked(
    PROMPT, seeds=({seed},), steps={steps}, scale={scale!r}, scheduler={scheduler!r}, loras=({loras})
)
steps = []
for step, maps in traced(model, asked, layers, heads={heads_each}):
    if maps is not None:
        print(f"step {{step.index + 1}} of {{step.total}}, t = {{step.t:g}}")
        steps.append(maps)

kept = tuple(layers) if {heads_each} else tuple(replace(layer, heads=1) for layer in layers)
attention = AttentionMaps(kept, len(pieces), tuple(steps))
for name, share in zip([*pieces, "padding", "picture"], attention.masses(View())):
    print(f"{{share:7.2%}}  {{name}}")  # mean of all steps, layers and heads

Image.fromarray(step.pictures[0]).save("picture.png")
np.savez_compressed("shares.npz", pieces=pieces, shares=attention.shares(View()))  # [tokens + 2, h, w]
'''


def public_script(request: TokensRequest, made: Mapping[str, Any]) -> str:
    """Python source; made: the provenance of a finished run, or nothing."""
    device, threads = str(made.get("device", "")), made.get("threads")
    side = {"all": "", "fine": "max", "coarse": "min"}[request.layers]
    choice = f"side = {side}(layer.height for layer in layers)\nlayers = [x for x in layers if x.height == side]\n"
    loras = [f"Lora(Path({str(lora.file)!r}), {lora.weight!r})," for lora in map(lora_of, request.loras)]
    return _TEMPLATE.format(
        **request.to_dict() | {"loras": " ".join(loras)},
        title=title_line(request),
        torch=made.get("torch", "version"),
        diffusers=made.get("diffusers", "version"),
        names="Asked, Lora" if loras else "Asked",
        threads=f"torch.set_num_threads({threads})\n" if isinstance(threads, int) else "",
        device=repr(device) if device else '"cuda" if torch.cuda.is_available() else "cpu"',
        dtype=made.get("dtype", "float32"),
        choice=choice if side else "",
        scale=1.0 if request.unconditional else request.guidance_scale,
        heads_each=request.heads == "each",
    )


def title_line(request: TokensRequest) -> str:
    """The prompt as part of a docstring: nothing in it may end or escape the string."""
    words = " ".join(request.prompt.split()).replace("\\", "/").replace('"', "'")
    return (words[:90] or "no prompt") + "."
