"""The pieces “Copy as Python” is put together from: open the networks, guide, draw, enlarge."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from studio.models.catalog import is_checkpoint, read_info
from studio_plugins.generate.preparing import settings_of
from studio_plugins.generate.request import GenerateRequest

_LOADERS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "text2im": ("studio.ml.diffusion.glide", "load_text2im"),
        "unconditional": ("studio.ml.diffusion.unconditional", "load_unconditional"),
        "class-conditional": ("studio.ml.diffusion.unconditional", "load_class_conditional"),
        "clip": ("studio.ml.clip.model", "load_clip"),
        "classifier": ("studio.ml.diffusion.classifier", "load_classifier"),
        "upsample": ("studio.ml.diffusion.upsampling", "load_upsampler"),
    }
)
_GRADIENTS = "studio.ml.diffusion.gradients"
_SAMPLE = """\
{said}steps = {drawn}(
    {inputs},
    scale={scale},{negative}
    sampling={sampling}{guides}
)
for step in steps:
    print(f"step {{step.index + 1}} of {{step.total}}, t = {{step.t}}")"""


AUTO_DEVICE = '"cuda" if torch.cuda.is_available() else "cpu"'
"""The device a script takes where no finished run says which."""


class Part(NamedTuple):
    """Some lines of a script, and the (module, name) pairs they need."""

    code: str
    imports: tuple[tuple[str, str], ...] = ()


def model_part(request: GenerateRequest) -> Part:
    """Open the model that draws."""
    place = Path(request.model)
    if not _bundled(request.model) and is_checkpoint(place):
        opened = f"load_released(Path({str(place)!r}), DataPaths.default().cache, device=DEVICE, dtype=DTYPE)"
        code = f"# converted weights are kept in the data folder's cache\nmodel = {opened}"
        imports = (("studio.host.paths", "DataPaths"), ("studio.ml.diffusion.unconditional", "load_released"))
        return Part(code + _check("model", request.model_sha256), imports)
    return _open("model", _kind_of(request.model), request.model, request.model_sha256)


def guidance_parts(request: GenerateRequest, target: str) -> list[Part]:
    """Open what guides besides classifier-free guidance. target: the class a finished run was guided to."""
    parts: list[Part] = []
    settings = settings_of(request)
    scales = {kind: _scale(request, strength.value) for kind, strength in settings.strengths.items()}
    if "classifier" in scales:
        parts.append(_open("classifier", "classifier", request.classifier_model, request.classifier_sha256))
        parts.append(_classifier(repr(settings.target or target), scales["classifier"]))
    if {"clip", "clip-x0"} & {*scales}:
        parts.append(_open("clip", "clip", request.clip_model, request.clip_sha256))
        parts.append(_clip_text(settings.clip_prompt))
    if "clip" in scales:
        code = "# eps - scale * sqrt(1 - abar) * grad_x logit_scale f(x_t) . g(text)"
        made = f"guides.append(ClipGuidance(clip, text, {scales['clip']}, T=model.schedule.T))"
        parts.append(Part(f"{code}\n{made}", ((_GRADIENTS, "ClipGuidance"),)))
    if "clip-x0" in scales:
        code = "# the same with the predicted x0 in place of x_t, through the network that draws"
        made = f"PlainClipGuidance(clip, text, model.denoiser(prompts), model.schedule, {scales['clip-x0']})"
        parts.append(Part(f"{code}\nguides.append({made})", ((_GRADIENTS, "PlainClipGuidance"),)))
    if not parts:
        return []
    course = (("studio.ml.diffusion.guidance", "Scale"),) if request.guidance_course != "constant" else ()
    return [Part("\nguides = []", ((_GRADIENTS, "together"), *course)), *parts]


def drawing_part(request: GenerateRequest) -> Part:
    """Draw, in the only stage or the first."""
    settings = settings_of(request)
    free = settings.strengths.get("classifier-free")
    guides = any(kind != "classifier-free" for kind in settings.strengths)
    nothing = repr(settings.negative) if settings.negative else "nothing"
    formula = f"# eps = eps(x|{nothing}) + scale * (eps(x|prompt) - eps(x|{nothing})) at each step\n"
    sampling = f"Sampling({request.sampler!r}, steps={request.steps!r}, eta={request.eta!r}),"
    code = _SAMPLE.format(
        said=f"\n{formula if free else ''}",
        drawn="model.sample",
        inputs="prompts,\n    SEEDS",
        scale="None" if free is None else _scale(request, free.value),
        negative=_negative(settings.negative),
        sampling=sampling,
        guides="\n    cond_fn=together(guides)," if guides else "",
    )
    course = (("studio.ml.diffusion.guidance", "Scale"),) if free and request.guidance_course != "constant" else ()
    return Part(code, (("studio.ml.diffusion.sampling", "Sampling"), *course))


def second_stage_part(request: GenerateRequest) -> Part:
    """Enlarge what was drawn."""
    opened = _open("upsampler", "upsample", request.upsample, request.upsampler_sha256)
    sampling, imports = "None,  # its own", opened.imports
    if request.upsample_sampler != "own":
        sampling = f"Sampling({request.upsample_sampler!r}, steps={request.upsample_steps!r}),"
        imports = (*imports, ("studio.ml.diffusion.sampling", "Sampling"))
    seeds = f"[seed + {request.upsample_seed} for seed in SEEDS]" if request.upsample_seed else "SEEDS"
    code = _SAMPLE.format(
        said="",
        drawn="upsampler.sample",
        inputs=f"step.x.clamp(-1, 1),\n    prompts,\n    {seeds}",
        scale=repr(request.upsample_scale) if request.upsample_guided else "None",
        negative=_negative(settings_of(request).negative),
        sampling=sampling,
        guides="",
    )
    return Part(f"\n# the second stage\n{opened.code}\n{code}", imports)


def title_line(request: GenerateRequest) -> str:
    """The prompt as the first line of a docstring: nothing in it may end or escape the string."""
    words = " ".join(request.condition.split()).replace("\\", "/").replace('"', "'")
    return (words[:100] or "Pictures without a prompt") + "."


def dtype_name(request: GenerateRequest, made: Mapping[str, Any]) -> str:
    """The number format: the one asked for, or that of the finished run."""
    return request.precision if request.precision != "auto" else str(made.get("dtype", "")) or "float32"


def _classifier(target: str, scale: str) -> Part:
    imports: tuple[tuple[str, str], ...] = ((_GRADIENTS, "ClassifierGuidance"),)
    if target == "''":
        target = "target_of(PROMPT, classifier.classes)"
        imports = (*imports, ("studio.models.guiding", "target_of"))
    code = (
        "# eps - scale * sqrt(1 - abar) * grad_x log p(class | x_t)\n"
        f"y = torch.tensor([classifier.index({target})] * len(SEEDS), device=DEVICE)\n"
        f"guides.append(ClassifierGuidance(classifier, y, {scale}, T=model.schedule.T))"
    )
    return Part(code, imports)


def _clip_text(clip_prompt: str) -> Part:
    if not clip_prompt:
        return Part("text = clip.encode_text(prompts)")
    code = f"text = encode_weighted(clip, [{clip_prompt!r}]).expand(len(prompts), -1)"
    return Part(code, (("studio.ml.clip.prompts", "encode_weighted"),))


def _open(name: str, kind: str, model: str, digest: str) -> Part:
    """Open a model folder, and refuse other weights than those that made the picture."""
    module, loader = _LOADERS[kind]
    imports: tuple[tuple[str, str], ...] = ((module, loader),)
    place = f"Path({model!r})"
    if _bundled(model):
        place, imports = f'resource("models", {model!r})', (*imports, ("studio.resources", "resource"))
    return Part(f"{name} = {loader}({place}, device=DEVICE, dtype=DTYPE){_check(name, digest)}", imports)


def _check(name: str, digest: str) -> str:
    told = "other weights than those that made the picture"
    return f'\nassert {name}.sha256 == "{digest}", "{told}"' if digest else ""


def _bundled(model: str) -> bool:
    return not any(mark in model for mark in "/\\")


def _kind_of(model: str) -> str:
    """What a model folder holds; a bundled one, or one that is not there, is taken for a text-to-image model."""
    there = not _bundled(model) and Path(model, "config.json").is_file()
    info = read_info(Path(model), bundled=False) if there else None
    return info.kind if info is not None and info.kind in _LOADERS else "text2im"


def _scale(request: GenerateRequest, value: float) -> str:
    if request.guidance_course == "constant":
        return repr(value)
    return f"Scale({value!r}, {request.guidance_course!r}, {request.guidance_start!r}, {request.guidance_stop!r})"


def _negative(prompt: str) -> str:
    return f"\n    negative={prompt!r}," if prompt else ""
