"""What columns, terms and scores are called, in the window and in files."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from studio_plugins.guidance.request import Column, Guidance

SHORT: Mapping[str, str] = MappingProxyType(
    {"classifier-free": "CFG", "classifier": "Classifier", "clip": "CLIP", "clip-x0": "CLIP on x₀"}
)
TERM_TIPS: Mapping[str, str] = MappingProxyType(
    {
        "classifier-free": "s·(ε(x|y) − ε(x|∅)): what classifier-free guidance adds to ε",
        "classifier": "−√(1 − ᾱ)·s·∇ log p(y|x_t): what the classifier adds to ε",
        "clip": "−√(1 − ᾱ)·s·∇ f(x_t)·g(c): what CLIP adds to ε",
        "clip-x0": "−√(1 − ᾱ)·s·∇ f(x₀)·g(c): what plain CLIP, through the denoiser, adds to ε",
    }
)
SCORE_TITLES: Mapping[str, str] = MappingProxyType(
    {
        "clip": "CLIP cosine at xₜ",
        "clip-clean": "CLIP cosine of x₀",
        "classifier": "p(y|xₜ)",
        "oracle": "oracle, x₀",
    }
)


def title_of(column: Column) -> str:
    """The column's own name, or its guidance in few words."""
    return column.name.strip() or guidance_title(column.guidance)


def guidance_title(guidance: Guidance) -> str:
    """The kinds that act with their scales: "CFG 3 + CLIP 1"; without any, what the network is given."""
    parts = [f"{SHORT[term]} {guidance.scale_of(term):g}" for term in guidance.terms]
    if not parts:
        return "No guidance" if guidance.prompted else "Unconditional"
    return " + ".join(parts) if guidance.prompted else f"∅ + {' + '.join(parts)}"


def when(guidance: Guidance) -> str:
    """The course of the scale in words, "" for throughout."""
    if guidance.course == "constant" or not guidance.terms:
        return ""
    verb = "from" if guidance.course == "interval" else "rising from"
    return f"{verb} {guidance.start:.0%} to {guidance.stop:.0%}"


def when_short(guidance: Guidance) -> str:
    """The same for a narrow heading: "0–50 %", with an arrow where the scale rises."""
    if not when(guidance):
        return ""
    return f"{'' if guidance.course == 'interval' else '↗ '}{100 * guidance.start:.0f}–{100 * guidance.stop:.0f} %"


def titles_of(columns: tuple[Column, ...]) -> list[str]:
    """A title for each column, told apart by numbers where they are the same."""
    plain = [title_of(column) for column in columns]
    return [f"{t} ({plain[: i + 1].count(t)})" if plain.count(t) > 1 else t for i, t in enumerate(plain)]
