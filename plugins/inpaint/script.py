"""“Copy as Python”: a run as a script that needs no window and gives the same pictures bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studio.models.catalog import is_checkpoint, read_info
from studio.models.external import is_external
from studio.models.external import lora_of
from studio_plugins.inpaint.inputs import FILE_OF
from studio_plugins.inpaint.request import InpaintRequest

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

PICTURE = Path({picture!r})
MASK = Path({mask!r})  # white = draw here, black = keep
PROMPT = {prompt!r}
SEEDS = {seeds}
OUT = Path("pictures")  # a folder

{threads}DEVICE = {device}
DTYPE = torch.{dtype}
{model}

image = Image.open(PICTURE)
picture = np.array(image.convert("RGBA" if image.has_transparency_data else "RGB"))
{selection}
# what the network sees: a square around the selection, at its own size
margins = Margins(padding={padding!r}, grow={grow!r}, feather={feather!r}, paste={paste_grow!r}, blend={blend!r})
view = look(picture, selection, {size}, native={native}, margins=margins, whole={whole!r}, hints=hints)
{sample}
patches = [colour_matched(patch, view.truth, view.drawn, view.ring, {colour_match!r}) for patch in drawn]
{second}
OUT.mkdir(parents=True, exist_ok=True)
for seed, patch in zip(SEEDS, patches):
    Image.fromarray(paste_back(picture, patch, view.region, view.composite)).save(OUT / f"{{seed}}.png")
    print("saved", OUT / f"{{seed}}.png")
'''
_SAMPLE = '''\
shown = as_tensor(view.picture[None]).to(DEVICE)
keep = torch.from_numpy(view.keep)[None, None]
prompts = [PROMPT] * len(SEEDS)
sampling = Sampling({sampler!r}, {steps!r}, eta={eta!r})
{start}
steps = model.sample(
    shown, keep, prompts, SEEDS,
    method={method!r}, scale={scale!r}, negative={negative!r}, sampling=sampling, resume=start,
)
for step in steps:
    print(f"step {{step.index + 1}} of {{step.total}}, t = {{step.t}}")
drawn = to_pixels(step.x.float().permute(0, 2, 3, 1).cpu().numpy())'''
_SAMPLE_EXTERNAL = '''\
fills = "inpaint" in model.capabilities or {fills!r}
asked = Asked(
    PROMPT, tuple(SEEDS), negative={negative!r}, steps={steps!r}, scale={guidance_scale!r},
    width=view.size, height=view.size, scheduler={scheduler!r}, image=view.picture, mask=view.soft if fills else None,
    strength={strength!r}, loras=({loras}),
)
for step in model.sample(asked):
    print(f"step {{step.index + 1}} of {{step.total}}")
drawn = step.pictures'''
_SECOND = '''
# the second stage enlarges what was drawn
for step in upsampler.sample(as_tensor(np.stack(patches)).to(DEVICE), prompts, SEEDS):
    print(f"enlarging, step {step.index + 1} of {step.total}")
patches = list(to_pixels(step.x.float().permute(0, 2, 3, 1).cpu().numpy()))
'''
_REFINE = """\
# begin on the way, at the picture noised to that level
visited, noise = sampling.schedule(model.schedule), model.noise(prompts, SEEDS)
start = start_from(shown, {strength!r}, visited, model.schedule, noise)"""
_IMPORTS = {
    "studio.ml.diffusion.compositing": {"colour_matched", "paste_back"},
    "studio.ml.diffusion.regions": {"Margins"},
    "studio.ml.diffusion.views": {"look"},
}
_OF_OURS = {
    "studio.host.pictures": {"to_pixels"},
    "studio.ml.diffusion.sampling": {"Sampling"},
    "studio.ml.evaluation.oracle": {"as_tensor"},
}


def script(
    request: InpaintRequest, provenance: Mapping[str, Any] | None = None, files: Mapping[str, Path] | None = None
) -> str:
    """Python source. provenance fixes device, number format and threads; files are those of the stored result, which
    hold the pixels that the run began with."""
    made, kept = provenance or {}, files or {}
    external = is_external(request.model)
    imports = {module: set(names) for module, names in (_IMPORTS if external else _IMPORTS | _OF_OURS).items()}
    model = (_external_model if external else _model)(request, imports)
    if request.mode == "refine" and not external:
        imports["studio.ml.diffusion.image2image"] = {"start_from"}
    if request.upsampled and not external:
        imports["studio.ml.diffusion.upsampling"] = {"load_upsampler"}
        opened = f"load_upsampler({_place(request.upsample, imports)}, device=DEVICE, dtype=DTYPE)"
        model += f"\nupsampler = {opened}{_check('upsampler', request.upsampler_sha256)}"
    device, threads = str(made.get("device", "")), made.get("threads")
    fields = request.to_dict() | {
        "prompt": request.condition,
        "picture": str(kept.get(FILE_OF["picture"], request.picture)),
        "mask": str(kept.get(FILE_OF["mask"], request.mask)),
        "model": model,
    }
    return _TEMPLATE.format(
        **fields,
        title=_title(request),
        torch=made.get("torch", "version"),
        imports="\n".join(f"from {name} import {', '.join(sorted(imports[name]))}" for name in sorted(imports)),
        seeds=list(request.seeds),
        threads=f"torch.set_num_threads({threads})\n" if isinstance(threads, int) else "",
        device=repr(device) if device else '"cuda" if torch.cuda.is_available() else "cpu"',
        dtype=request.precision if request.precision != "auto" else str(made.get("dtype", "")) or "float32",
        selection=_selection(request, kept),
        size="model.native_size" if external else "model.image_size",
        native="upsampler.image_size" if request.upsampled and not external else "None",
        sample=_sample_external(request) if external else _sample(request),
        second=_SECOND if request.upsampled and not external else "",
    )


def _sample(request: InpaintRequest) -> str:
    """Lines that make `drawn` of the view, by a network of the studio's own."""
    start = _REFINE.format(strength=request.strength) if request.mode == "refine" else "start = None"
    fields = request.to_dict() | {"scale": request.scale, "negative": request.negative, "start": start}
    return _SAMPLE.format(**fields)


def _sample_external(request: InpaintRequest) -> str:
    """Lines that make `drawn` of the view, by a public model."""
    fields = request.to_dict() | {
        "negative": request.negative,
        "fills": request.mode != "refine",
        "strength": request.strength if request.mode == "refine" else 1.0,
        "loras": "".join(f"Lora(Path({str(lora.file)!r}), {lora.weight!r}), " for lora in map(lora_of, request.loras)),
    }
    return _SAMPLE_EXTERNAL.format(**fields)


def _external_model(request: InpaintRequest, imports: dict[str, set[str]]) -> str:
    """The line that opens a public model."""
    imports["studio.ml.diffusion.external.asked"] = {"Asked", "Lora"} if request.loras else {"Asked"}
    imports["studio.ml.diffusion.external.loading"] = {"load_external"}
    how = f"offload={request.offload!r}, tiling={request.tiling!r}"
    return f"model = load_external(Path({request.model!r}), device=DEVICE, dtype=DTYPE, {how})"


def _selection(request: InpaintRequest, kept: Mapping[str, Path]) -> str:
    """Lines that make `selection` and `hints` of the files."""
    lines = ['selection = np.array(Image.open(MASK).convert("L"))', "hints = None"]
    hints = str(kept.get(FILE_OF["hints"], request.hints))
    if request.mode == "refine" and hints:
        lines[1] = f'hints = np.array(Image.open(Path({hints!r})).convert("RGBA"))  # paint to refine'
        lines.append("selection = np.maximum(selection, hints[..., 3])")
    if request.mode == "extend":
        lines.append("if picture.shape[2] == 4:  # transparent parts are drawn")
        lines.append("    selection = np.maximum(selection, 255 - picture[..., 3])")
    return "\n".join(lines)


def _model(request: InpaintRequest, imports: dict[str, set[str]]) -> str:
    """Lines that open the model, and refuse other weights than those that made the picture."""
    place = Path(request.model)
    check = _check("model", request.model_sha256)
    if not _bundled(request.model) and is_checkpoint(place):
        imports["studio.host.paths"] = {"DataPaths"}
        imports["studio.ml.diffusion.inpainting"] = {"Inpainter"}
        imports["studio.ml.diffusion.unconditional"] = {"load_released"}
        opened = f"load_released(Path({str(place)!r}), DataPaths.default().cache, device=DEVICE, dtype=DTYPE)"
        return f"model = Inpainter.of({opened}){check}"
    where = _place(request.model, imports)
    if _kind(request.model) == "text2im":
        imports["studio.ml.diffusion.glide"] = {"load_text2im"}
        imports["studio.ml.diffusion.inpainting"] = {"Inpainter"}
        return f"model = Inpainter.of(load_text2im({where}, device=DEVICE, dtype=DTYPE)){check}"
    imports["studio.ml.diffusion.inpainting"] = {"load_inpainter"}
    return f"model = load_inpainter({where}, device=DEVICE, dtype=DTYPE){check}"


def _place(model: str, imports: dict[str, set[str]]) -> str:
    if not _bundled(model):
        return f"Path({model!r})"
    imports["studio.resources"] = {"resource"}
    return f'resource("models", {model!r})'


def _check(name: str, digest: str) -> str:
    told = "other weights than those that made the picture"
    return f'\nassert {name}.sha256 == "{digest}", "{told}"' if digest else ""


def _bundled(model: str) -> bool:
    return not any(mark in model for mark in "/\\")


def _kind(model: str) -> str:
    """What a model folder holds; one that is not there is taken for an inpainting model."""
    from studio.models.catalog import ModelMissing, locate

    try:
        info = read_info(locate(model), bundled=False)
    except ModelMissing:
        return "inpaint"
    return "inpaint" if info is None else info.kind


def _title(request: InpaintRequest) -> str:
    """The prompt as the first line of a docstring: nothing in it may end or escape the string."""
    words = " ".join(request.condition.split()).replace("\\", "/").replace('"', "'")
    return (words[:100] or "A part of a picture drawn anew") + "."
