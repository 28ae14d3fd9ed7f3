"""“Copy as Python”: the comparison as a script that runs without the window and draws the same pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studio.models.catalog import is_checkpoint
from studio_plugins.guidance.request import Column, Guidance, GuidanceRequest
from studio_plugins.guidance.titles import titles_of

_TEMPLATE = '''\
"""{title}

Made by Glassbox Studio. Run it with the Python that has the studio installed; no window is opened.
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from studio.ml.clip.model import load_clip
from studio.ml.clip.prompts import encode_weighted
from studio.ml.diffusion.classifier import load_classifier
{imports}from studio.ml.diffusion.gradients import ClassifierGuidance, ClipGuidance, PlainClipGuidance, together
from studio.ml.diffusion.guidance import Scale
from studio.ml.diffusion.sampler import Resume
from studio.ml.diffusion.sampling import Sampling
from studio.models.catalog import locate
from studio.models.guiding import target_of

PROMPT = {prompt!r}
SEEDS = {seeds}
SAMPLING = Sampling({sampler!r}, steps={steps!r}, eta={eta!r})
OUT = Path("guidance")  # a folder

{threads}DEVICE = {device}
DTYPE = torch.{dtype}
model = {load}, device=DEVICE, dtype=DTYPE)
{companions}T = model.schedule.T


def draw(prompt, scale=None, negative="", guides=(), resume=None, until=None):
    """The step records of one way to guide, from the start or from `resume`, up to step `until`."""
    records = []
    for record in model.sample(
        [prompt] * len(SEEDS), SEEDS, scale=scale, negative=negative, sampling=SAMPLING, cond_fn=together(guides),
        resume=resume, **({{}} if scale is None else {{"skip_unused": True}}),
    ):
        records.append(record)
        if record.index == until:
            break
    return records


columns = {{}}
{columns}
OUT.mkdir(parents=True, exist_ok=True)
for name, records in columns.items():
    x = records[-1].x.float().permute(0, 2, 3, 1).cpu().numpy()  # [pictures, height, width, 3] in [-1, 1]
    pictures = np.clip(np.floor((x + np.float32(1)) * np.float32(127.5) + np.float32(0.5)), 0, 255).astype(np.uint8)
    for seed, picture in zip(SEEDS, pictures):
        Image.fromarray(picture).save(OUT / f"{{name}}-{{seed}}.png")
    print(name, len(records), "steps,", len(pictures), "pictures")
'''
_LOAD = "from studio.ml.diffusion.glide import load_text2im\n"
_LOAD_RELEASED = """\
from studio.host.paths import DataPaths  # converted weights are kept in the data folder's cache
from studio.ml.diffusion.unconditional import load_released
"""
_CLIP = '''\
clip = load_clip(locate({name!r}), device=DEVICE, dtype=DTYPE)
'''
_CLASSIFIER = '''\
classifier = load_classifier(locate({name!r}), device=DEVICE, dtype=DTYPE)
'''


def script(request: GuidanceRequest, provenance: Mapping[str, Any] | None = None) -> str:
    """Python source. `provenance` (of a finished run) fixes device, number format and threads; without it the script
    chooses as the studio would."""
    made = provenance or {}
    device, threads = str(made.get("device", "")), made.get("threads")
    guidances = [g for column in request.columns for g in (column.guidance, *(s.guidance for s in column.earlier))]
    companions = _CLIP.format(name=request.clip_model) if any(g.needs_clip for g in guidances) else ""
    if any(g.classifier for g in guidances):
        companions += _CLASSIFIER.format(name=request.classifier_model)
    imports, load = _LOAD, f"load_text2im(locate({request.model!r})"
    if any(mark in request.model for mark in "/\\") and is_checkpoint(Path(request.model)):
        imports, load = _LOAD_RELEASED, f"load_released(Path({request.model!r}), DataPaths.default().cache"
    titles = titles_of(request.columns)
    lines = [_column(i, column, titles[i]) for i, column in enumerate(request.columns)]
    return _TEMPLATE.format(
        title=_docstring(request.prompt),
        prompt=request.prompt,
        seeds=[request.seed + i for i in range(request.batch)],
        sampler=request.sampler,
        steps=request.steps,
        eta=request.eta,
        threads=f"torch.set_num_threads({threads})\n" if isinstance(threads, int) else "",
        device=repr(device) if device else '"cuda" if torch.cuda.is_available() else "cpu"',
        dtype=request.precision if request.precision != "auto" else str(made.get("dtype", "")) or "float32",
        imports=imports,
        load=load,
        companions=companions,
        columns="\n".join(lines),
    )


def _column(index: int, column: Column, title: str) -> str:
    """The lines that draw one column, a call for every stretch that is guided alike."""
    lines = [f"# {' '.join(title.split())}"]
    resume = ""
    for segment in column.earlier:
        lines.append(f"records = draw({_arguments(segment.guidance)}{resume}, until={segment.until})")
        resume = ", resume=Resume.after(records[-1])"
    lines.append(f"columns[{f'column {index + 1}'!r}] = draw({_arguments(column.guidance)}{resume})\n")
    return "\n".join(lines)


def _arguments(guidance: Guidance) -> str:
    prompt = "PROMPT" if guidance.prompted else '""'
    parts = [prompt]
    if guidance.free:
        parts.append(f"scale={_scale(guidance, guidance.free_scale)}")
        if guidance.negative:
            parts.append(f"negative={guidance.negative!r}")
    guides = []
    if guidance.classifier:
        chosen = guidance.classifier_class
        target = repr(chosen) if chosen else "target_of(PROMPT, classifier.classes)"
        y = f"torch.tensor([classifier.index({target})] * len(SEEDS), device=DEVICE)"
        guides.append(f"ClassifierGuidance(classifier, {y}, {_scale(guidance, guidance.classifier_scale)}, T=T)")
    text = "clip.encode_text([PROMPT] * len(SEEDS))"
    if guidance.clip_prompt.strip():
        text = f"encode_weighted(clip, [{guidance.clip_prompt.strip()!r}] * len(SEEDS))"
    if guidance.clip:
        guides.append(f"ClipGuidance(clip, {text}, {_scale(guidance, guidance.clip_scale)}, T=T)")
    if guidance.clip_x0:
        denoiser = f"model.denoiser([{prompt}] * len(SEEDS))"
        guides.append(
            f"PlainClipGuidance(clip, {text}, {denoiser}, model.schedule, {_scale(guidance, guidance.clip_x0_scale)})"
        )
    if guides:
        parts.append(f"guides=[{', '.join(guides)}]")
    return ", ".join(parts)


def _scale(guidance: Guidance, value: float) -> str:
    if guidance.course == "constant":
        return f"Scale({value!r})"
    return f"Scale({value!r}, {guidance.course!r}, {guidance.start!r}, {guidance.stop!r})"


def _docstring(prompt: str) -> str:
    """The prompt as the first line of a docstring: nothing in it may end or escape the string."""
    words = " ".join(prompt.split()).replace("\\", "/").replace('"', "'")
    return f"Guidance compared on one noise: {words[:80] or 'without a prompt'}."
