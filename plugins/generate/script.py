"""“Copy as Python”: the request as a script that runs without the window and reproduces the pictures bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studio.models.catalog import is_checkpoint
from studio_plugins.generate.request import GenerateRequest

_TEMPLATE = '''\
"""{title}

Made by Glassbox Studio. Run it with the Python that has the studio installed; no window is opened.
The pictures are the same bit for bit on the same device with the same number of threads and torch {torch}.
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from studio.ml.diffusion.sampling import Sampling
{imports}
PROMPT = {prompt!r}
SEEDS = {seeds}
OUT = Path({out!r})  # a folder

{threads}DEVICE = {device}
model = {load}, device=DEVICE, dtype=torch.{dtype})
{check}
# eps = eps(x|nothing) + scale * (eps(x|prompt) - eps(x|nothing)) at each step
steps = model.sample(
    [PROMPT] * len(SEEDS),
    SEEDS,
    scale={scale!r},
    sampling=Sampling({sampler!r}, steps={steps!r}, eta={eta!r}),
)
for step in steps:
    print(f"step {{step.index + 1}} of {{step.total}}, t = {{step.t}}")

x = step.x.float().permute(0, 2, 3, 1).cpu().numpy()  # [pictures, height, width, 3] in [-1, 1]
pictures = np.clip(np.floor((x + np.float32(1)) * np.float32(127.5) + np.float32(0.5)), 0, 255).astype(np.uint8)
OUT.mkdir(parents=True, exist_ok=True)
for seed, picture in zip(SEEDS, pictures):
    Image.fromarray(picture).save(OUT / f"{{seed}}.png")
    print("saved", OUT / f"{{seed}}.png")
'''


_LOAD = "from studio.ml.diffusion.glide import load_text2im"
_LOAD_RELEASED = """\
from studio.host.paths import DataPaths  # converted weights are kept in the data folder's cache
from studio.ml.diffusion.unconditional import load_released
"""


def script(request: GenerateRequest, provenance: Mapping[str, Any] | None = None) -> str:
    """Python source. `provenance` (of a finished run) fixes device, number format and threads; without it the script
    chooses as the studio would."""
    made = provenance or {}
    bundled = not any(mark in request.model for mark in "/\\")
    device = str(made.get("device", ""))
    dtype = request.precision if request.precision != "auto" else str(made.get("dtype", "")) or "float32"
    threads = made.get("threads")
    digest = request.model_sha256
    place = Path(request.model)
    if bundled:
        imports = f"{_LOAD}\nfrom studio.resources import resource\n"
        load = f'load_text2im(resource("models", {request.model!r})'
    elif is_checkpoint(place):
        imports, load = _LOAD_RELEASED, f"load_released(Path({str(place)!r}), DataPaths.default().cache"
    else:
        imports, load = f"{_LOAD}\n", f"load_text2im(Path({str(place)!r})"
    return _TEMPLATE.format(
        title=_title(request),
        torch=made.get("torch", "version"),
        imports=imports,
        prompt=request.prompt,
        seeds=[request.seed + i for i in range(request.batch)],
        out="pictures",
        threads=f"torch.set_num_threads({threads})\n" if isinstance(threads, int) else "",
        device=repr(device) if device else '"cuda" if torch.cuda.is_available() else "cpu"',
        load=load,
        dtype=dtype,
        check=f'assert model.sha256 == "{digest}", "other weights than those that made the picture"' if digest else "",
        scale=None if request.unconditional else request.guidance_scale,
        sampler=request.sampler,
        steps=request.steps,
        eta=request.eta,
    )


def _title(request: GenerateRequest) -> str:
    """The prompt as the first line of a docstring: nothing in it may end or escape the string."""
    words = " ".join(request.prompt.split()).replace("\\", "/").replace('"', "'")
    return (words[:100] or "Pictures without a prompt") + "."
