"""What the chosen guidance computes, as a formula, and the same with the numbers of a step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from studio.models.guiding import GuidanceKind
from studio_plugins.generate.request import GenerateRequest
from studio_plugins.generate.trajectory import StageName, StepData, TermData

GRADIENTS: Mapping[str, str] = MappingProxyType(
    {"classifier": "classifier", "clip": "CLIP", "clip-x0": "CLIP on x₀"}
)
"""Guidances by a gradient, and what their terms are called."""
SCORES: Mapping[str, str] = MappingProxyType(
    {"classifier": "log p(class|xₜ)", "clip": "f(xₜ)·g(y)", "clip-x0": "f(x₀)·g(y)"}
)
_CLIMBED = {"classifier": "log p(class|xₜ)", "clip": "τ f(xₜ)·g(y)", "clip-x0": "τ f(x₀(xₜ))·g(y)"}
_LENGTHS = "Lengths are Euclidean, over all pixels and channels."
_NOTHING = "Without a prompt there is nothing to guide towards."
_DDPM = "DDPM moves the mean instead: μ̂ = μ + s·Σ·∇ₓ; the length is that of the same gradient as a change of ε."


_PUBLIC = (
    "The pipeline runs as its authors wrote it: its predictions stay inside, and only previews of x₀ come out. Models "
    "that were distilled with their guidance (Flux, LCM) are told s and evaluated once."
)


@dataclass(frozen=True)
class Formula:
    """Rich text for a FormulaCard: the formula, the same with `$names` for numbers, and a remark."""

    symbols: str
    numbers: str
    note: str


def formula(request: GenerateRequest, stage: StageName = "base") -> Formula:
    """The guidance of one stage of a run."""
    kinds = stage_kinds(request, stage)
    away = reference(request)
    free = "classifier-free" in kinds
    base = f"ε(x|{away})" if free or request.unconditional else "ε(x|y)"
    terms = [f"+ <i>s</i>·(ε(x|y) − ε(x|{away}))"] if free else []
    terms += [f"− <i>s</i>·√(1−ᾱ)·∇ₓ {_CLIMBED[kind]}" for kind in kinds if kind in GRADIENTS]
    if {*GRADIENTS} & {*kinds}:
        symbols = "<br>&nbsp;&nbsp;&nbsp;&nbsp;".join([f"ε̂ = {base}", *terms])
    else:
        symbols = " ".join([f"ε̂ = {base}", *terms])
    names = ["‖ε̂‖ = $guided"] if kinds else []
    names += [f"‖{base}‖ = ${'uncond' if free or request.unconditional else 'cond'}"]
    names += ["<i>s</i>·‖Δ‖ = $scale · $difference = $pull"] if free else []
    for kind in kinds:
        if kind in GRADIENTS:
            names += [f"‖{GRADIENTS[kind]} term‖ = ${_key(kind)} at <i>s</i> = ${_key(kind)}_scale"]
            names += [f"{SCORES[kind]} = ${_key(kind)}_score"]
    names = [] if request.public else names
    note = _note(request, kinds, away)
    return Formula(
        _small(symbols, nowrap=True), _small("<br>".join(names)), note if stage == "base" else f"Second stage. {note}"
    )


def numbers(request: GenerateRequest, step: StepData, picture: int | None = None) -> dict[str, float | str]:
    """The `$names` of `formula` at a step: of one picture, or the mean over the batch; none of a public model."""
    if request.public:
        return {}
    means = step.numbers(picture)
    found: dict[str, float | str] = {name: means.get(name, 0.0) for name in ("cond", "uncond", "difference")}
    scale = free_scale(request, step)
    found |= {"scale": scale, "pull": scale * means.get("difference", 0.0)}
    guided = step.guided if step.guided is not None else guided_norms(step.norms, scale)
    found["guided"] = float(guided.mean() if picture is None else guided[picture])
    for kind in GRADIENTS:
        term = step.terms.get(kind)
        found |= {_key(kind): 0.0, f"{_key(kind)}_scale": 0.0, f"{_key(kind)}_score": "–"}
        if term is not None:
            found |= _term_numbers(kind, term, picture)
    return found


def stage_kinds(request: GenerateRequest, stage: StageName) -> tuple[GuidanceKind, ...]:
    """The guidances that act in a stage."""
    if stage == "base":
        return request.kinds
    return ("classifier-free",) if request.upsample_guided else ()


def reference(request: GenerateRequest) -> str:
    """What classifier-free guidance leads away from: ∅, or n for a negative prompt."""
    return "n" if "classifier-free" in request.kinds and request.negative_prompt.strip() else "∅"


def free_scale(request: GenerateRequest, step: StepData) -> float:
    """The scale of classifier-free guidance at a step."""
    if step.stage == "upsample":
        return request.upsample_scale
    term = step.terms.get("classifier-free")
    return float(term.scale[0]) if term is not None else request.guidance_scale


def guided_norms(norms: NDArray[np.float32], scale: float) -> NDArray[np.float64]:
    """‖ε_u + s d‖ [N] from [4, N]: √(‖u‖² + 2 s (u·c − ‖u‖²) + s² ‖d‖²), where d = c − u, u·c = ‖u‖ ‖c‖ cos."""
    cond, uncond, difference, cosine = norms.astype(np.float64)
    squared = uncond**2 + 2 * scale * (cond * uncond * cosine - uncond**2) + (scale * difference) ** 2
    lengths: NDArray[np.float64] = np.sqrt(np.maximum(squared, 0))
    return lengths


def _term_numbers(kind: str, term: TermData, picture: int | None) -> dict[str, float]:
    rows = dict(zip(("", "_scale", "_score"), term, strict=True))
    return {_key(kind) + end: float(row.mean() if picture is None else row[picture]) for end, row in rows.items()}


def _note(request: GenerateRequest, kinds: tuple[GuidanceKind, ...], away: str) -> str:
    if not kinds:
        if request.public and not request.unconditional:
            return f"Nothing guides. {_PUBLIC}"
        return _NOTHING if request.unconditional else "Nothing guides: the network is used as it is."
    negative = ["n is the negative prompt."] if away == "n" else []
    if request.public:
        return " ".join([*negative, _PUBLIC])
    said = [f"Δ = ε(x|y) − ε(x|{away})."] if "classifier-free" in kinds else []
    said += negative
    said += ["f and g are CLIP's picture and text, τ its logit scale."] if {"clip", "clip-x0"} & {*kinds} else []
    said += [_DDPM] if {*GRADIENTS} & {*kinds} and request.sampler == "ddpm" else []
    return " ".join([*said, _LENGTHS])


def _key(kind: str) -> str:
    """A kind as a name in a template."""
    return kind.replace("-", "_")


def _small(text: str, *, nowrap: bool = False) -> str:
    """13 px: the formula is to stay on one line in a narrow column."""
    return f'<span style="font-size:13px{"; white-space:nowrap" if nowrap else ""}">{text}</span>'
