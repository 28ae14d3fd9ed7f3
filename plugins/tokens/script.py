"""“Copy as Python”: the request as a script that runs without the window and writes the same picture and maps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studio.models.catalog import is_checkpoint
from studio_plugins.tokens.request import TokensRequest
from studio_plugins.tokens.script_public import public_script, title_line

_TEMPLATE = '''\
"""Where each word acts: {title}

Made by Glassbox Studio. Run it with the Python that has the studio installed; no window is opened.
Picture and maps are the same bit for bit on the same device with the same number of threads and torch {torch}.
"""

import numpy as np
import torch
from PIL import Image

from studio.ml.diffusion.attention_capture import attention_layers, traced
from studio.ml.diffusion.attention_maps import AttentionMaps, View
from studio.ml.diffusion.sampling import Sampling
{imports}
PROMPT = {prompt!r}

{threads}DEVICE = {device}
model = {load}, device=DEVICE, dtype=torch.{dtype})
{check}
ids, mask = model.tokenizer.encode(PROMPT, model.net.text.text_ctx)
pieces = [model.tokenizer.piece(token) for token in ids[: sum(mask)]]
layers = attention_layers(model.net, model.image_size)
{choice}
steps = []
records = model.sample([PROMPT], [{seed}], scale={scale!r}, sampling=Sampling({sampler!r}, steps={steps}))
for record, maps in traced(records, model.net, layers, len(pieces), heads={heads}):
    print(f"step {{record.index + 1}} of {{record.total}}, t = {{record.t}}")
    steps.append(maps)

attention = AttentionMaps(tuple(layers), len(pieces), tuple(steps))
for name, share in zip([*pieces, "padding", "picture"], attention.masses(View())):
    print(f"{{share:7.2%}}  {{name}}")  # mean of all steps, layers and heads

x = record.x[0].float().permute(1, 2, 0).cpu().numpy()  # [height, width, 3] in [-1, 1]
pixels = np.clip(np.floor((x + np.float32(1)) * np.float32(127.5) + np.float32(0.5)), 0, 255)
Image.fromarray(pixels.astype(np.uint8)).save("picture.png")
np.savez_compressed("shares.npz", pieces=pieces, shares=attention.shares(View()))  # [tokens + 2, h, w]
'''
_TEXT2IM = "from studio.ml.diffusion.glide import load_text2im"
_RELEASED = """\
from pathlib import Path

from studio.host.paths import DataPaths  # converted weights are kept in the data folder's cache
from studio.ml.diffusion.unconditional import load_released
"""


def script(request: TokensRequest, provenance: Mapping[str, Any] | None = None) -> str:
    """Python source. `provenance` (of a finished run) fixes device, number format and threads; without it the script
    chooses as the studio would."""
    made = provenance or {}
    if request.public:
        return public_script(request, made)
    imports, load = _loading(request.model)
    device, threads, digest = str(made.get("device", "")), made.get("threads"), request.model_sha256
    side = {"all": "", "fine": "max", "coarse": "min"}[request.layers]
    choice = f"side = {side}(layer.height for layer in layers)\nlayers = [x for x in layers if x.height == side]\n"
    return _TEMPLATE.format(
        title=title_line(request),
        torch=made.get("torch", "version"),
        imports=imports,
        prompt=request.prompt,
        threads=f"torch.set_num_threads({threads})\n" if isinstance(threads, int) else "",
        device=repr(device) if device else '"cuda" if torch.cuda.is_available() else "cpu"',
        load=load,
        dtype=made.get("dtype", "float32"),
        check=f'assert model.sha256 == "{digest}", "other weights than those that made the picture"' if digest else "",
        choice=choice if side else "",
        seed=request.seed,
        scale=None if request.unconditional else request.guidance_scale,
        sampler=request.sampler,
        steps=request.steps,
        heads=request.heads == "each",
    )


def _loading(model: str) -> tuple[str, str]:
    """The imports and the start of the call that open a model named in a request."""
    place = Path(model)
    if not any(mark in model for mark in "/\\"):
        return f"{_TEXT2IM}\nfrom studio.resources import resource\n", f'load_text2im(resource("models", {model!r})'
    if is_checkpoint(place):
        return _RELEASED, f"load_released(Path({str(place)!r}), DataPaths.default().cache"
    return f"from pathlib import Path\n\n{_TEXT2IM}\n", f"load_text2im(Path({str(place)!r})"
