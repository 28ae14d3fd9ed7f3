"""“Copy as Python” for public models: the request as a script around the pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.models.external import lora_of
from studio_plugins.generate.request import GenerateRequest
from studio_plugins.generate.script_parts import AUTO_DEVICE, dtype_name, title_line

_TEMPLATE = '''\
"""{title}

Made by Glassbox Studio. Run it with the Python that has the studio installed; no window is opened.
The pictures are the same bit for bit on the same device with the same number of threads, torch {torch} and
diffusers {diffusers}.
"""

from pathlib import Path

import torch
from PIL import Image

from studio.ml.diffusion.external.asked import {names}
from studio.ml.diffusion.external.loading import load_external

SEEDS = ({seeds},)
OUT = Path("pictures")  # a folder

{threads}DEVICE = {device}
DTYPE = torch.{dtype}
model = load_external(Path({model!r}), device=DEVICE, dtype=DTYPE, offload={offload!r}, tiling={tiling!r})
asked = Asked(
    prompt={prompt!r},
    negative={negative!r},
    seeds=SEEDS,
    steps={steps!r},
    scale={scale!r},  # at 1 and below nothing guides
    width={width!r},  # None: the model's own size
    height={height!r},
    scheduler={scheduler!r},
    loras=({loras}),
)
for step in model.sample(asked):
    print(f"step {{step.index + 1}} of {{step.total}}, t = {{step.t:g}}")

OUT.mkdir(parents=True, exist_ok=True)
for seed, picture in zip(SEEDS, step.pictures):
    Image.fromarray(picture).save(OUT / f"{{seed}}.png")
    print("saved", OUT / f"{{seed}}.png")
'''


def public_script(request: GenerateRequest, made: Mapping[str, Any]) -> str:
    """Python source; made: the provenance of a finished run, or nothing."""
    guided = "classifier-free" in request.kinds
    device, threads = str(made.get("device", "")), made.get("threads")
    loras = [f"Lora(Path({str(lora.file)!r}), {lora.weight!r})," for lora in map(lora_of, request.loras)]
    return _TEMPLATE.format(
        **request.to_dict()
        | {
            "prompt": request.condition,
            "loras": " ".join(loras),
            "title": title_line(request),
        },
        torch=made.get("torch", "version"),
        diffusers=made.get("diffusers", "version"),
        names="Asked, Lora" if loras else "Asked",
        seeds=", ".join(str(request.seed + i) for i in range(request.batch)),
        threads=f"torch.set_num_threads({threads})\n" if isinstance(threads, int) else "",
        device=repr(device) if device else AUTO_DEVICE,
        dtype=dtype_name(request, made),
        negative=request.negative_prompt.strip() if guided else "",
        scale=request.guidance_scale if guided else 1.0,
    )
