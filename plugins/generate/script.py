"""“Copy as Python”: the request as a script that runs without the window and reproduces the pictures bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio_plugins.generate.request import GenerateRequest
from studio_plugins.generate.script_parts import (
    AUTO_DEVICE, Part, drawing_part, dtype_name, guidance_parts, model_part, second_stage_part, title_line,
)  # fmt: skip
from studio_plugins.generate.script_public import public_script

_TEMPLATE = '''\
"""{title}

Made by Glassbox Studio. Run it with the Python that has the studio installed; no window is opened.
The pictures are the same bit for bit on the same device with the same number of threads and torch {torch}.
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

{imports}

PROMPT = {prompt!r}
SEEDS = {seeds}
OUT = Path({out!r})  # a folder

{threads}DEVICE = {device}
DTYPE = torch.{dtype}
prompts = [PROMPT] * len(SEEDS)
{code}

x = step.x.float().permute(0, 2, 3, 1).cpu().numpy()  # [pictures, height, width, 3] in [-1, 1]
pictures = np.clip(np.floor((x + np.float32(1)) * np.float32(127.5) + np.float32(0.5)), 0, 255).astype(np.uint8)
OUT.mkdir(parents=True, exist_ok=True)
for seed, picture in zip(SEEDS, pictures):
    Image.fromarray(picture).save(OUT / f"{{seed}}.png")
    print("saved", OUT / f"{{seed}}.png")
'''


def script(request: GenerateRequest, provenance: Mapping[str, Any] | None = None) -> str:
    """Python source. `provenance` (of a finished run) fixes device, number format and threads; without it the script
    chooses as the studio would."""
    made = provenance or {}
    if request.public:
        return public_script(request, made)
    device = str(made.get("device", ""))
    threads = made.get("threads")
    parts = [model_part(request), *guidance_parts(request, str(made.get("class", ""))), drawing_part(request)]
    parts += [second_stage_part(request)] if request.upsampled else []
    return _TEMPLATE.format(
        title=title_line(request),
        torch=made.get("torch", "version"),
        imports=_imports(parts),
        prompt=request.condition,
        seeds=[request.seed + i for i in range(request.batch)],
        out="pictures",
        threads=f"torch.set_num_threads({threads})\n" if isinstance(threads, int) else "",
        device=repr(device) if device else AUTO_DEVICE,
        dtype=dtype_name(request, made),
        code="\n".join(part.code for part in parts),
    )


def _imports(parts: list[Part]) -> str:
    """One line for each module, in order."""
    names: dict[str, set[str]] = {}
    for part in parts:
        for module, name in part.imports:
            names.setdefault(module, set()).add(name)
    return "\n".join(f"from {module} import {', '.join(sorted(names[module]))}" for module in sorted(names))
