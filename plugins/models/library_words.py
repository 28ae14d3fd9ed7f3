"""Kinds, abilities and states of the library's models as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from studio.ml.diffusion.external.headers import FORMATS
from studio.models.library.families import title_of
from studio.models.library.holding import Holding
from studio_plugins.models.words import size_text

GROUPS: Mapping[str, str] = MappingProxyType(
    {
        "pipeline": "Diffusers pipelines",
        "checkpoint": "Checkpoints in one file",
        "transformers": "Transformers",
        "part": "LoRA, VAE and other parts",
        "own": "Models of the studio, incomplete",
        "pickle": "Refused: pickles",
        "unknown": "Not recognised",
    }
)
"""Kinds of the library, in the order of the list."""

KIND_TEXTS: Mapping[str, str] = MappingProxyType(
    {
        "pipeline": "diffusers pipeline",
        "checkpoint": "checkpoint in one file",
        "transformers": "transformers model",
        "part": "part of a model",
        "own": "model of the studio",
        "pickle": "pickle",
        "unknown": "weights",
    }
)

ABILITIES: Mapping[str, str] = MappingProxyType(
    {
        "text2im": "text to picture",
        "image2image": "picture to picture",
        "inpaint": "inpainting",
        "causal": "writes on (causal)",
        "encoder-decoder": "text to text (encoder-decoder)",
        "encoder": "reads text (encoder)",
        "vision": "sees pictures",
        "clip": "compares pictures with texts",
        "embeddings": "embeddings",
    }
)

PANELS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "text2im": ("generate", "guidance", "tokens", "inpaint"),
        "class-conditional": ("generate", "guidance"),
        "unconditional": ("generate", "guidance"),
        "upsample": ("generate",),
        "inpaint": ("inpaint",),
        "upsample-inpaint": ("inpaint",),
        "clip": ("generate", "guidance"),
        "classifier": ("generate", "guidance"),
        "vision": ("attention",),
        "causal": ("attention",),
        "encoder-decoder": ("attention",),
        "pipeline": ("generate", "inpaint"),
        "checkpoint": ("generate", "inpaint"),
    }
)
"""Kind of a model -> ids of the panels that open it."""


def kind_text(holding: Holding) -> str:
    """What it is, on one line."""
    family = title_of(holding.family) if holding.family != "other" else ""
    told = ", ".join(text for text in (family, holding.what) if text)
    return f"{KIND_TEXTS[holding.kind].capitalize()}{f': {told}' if told else ''}"


def details_text(holding: Holding) -> str:
    """The second line in the list: the family, or the class where there is none, size and state."""
    family = title_of(holding.family) if holding.family != "other" else ""
    whole = ", ".join(text for text in (holding.what, family) if text)
    told = whole if holding.kind == "part" else family or holding.what
    state = "" if holding.usable or holding.kind == "pickle" else state_word(holding)
    return ", ".join(text for text in (told, size_text(holding.nbytes), state) if text)


def state_word(holding: Holding) -> str:
    """Whether it can be used, in a word."""
    if holding.missing:
        return "incomplete"
    if holding.refused:
        return "refused"
    return "complete" if holding.usable else "lacks settings"


def state_text(holding: Holding) -> str:
    """What is missing, or why it is not opened, in whole sentences."""
    lines = []
    if holding.missing:
        lines.append("Incomplete: download it again, or put back what is missing.")
        lines += [f"✗ {text}" for text in holding.missing]
    if holding.refused:
        lines.append(holding.refused)
    if holding.kind == "checkpoint":
        lines.append(f"Opened with the settings of {holding.settings}." if holding.settings else _no_settings(holding))
    return "\n".join(lines) or "✓ Complete: every file it names is here and whole."


def _no_settings(holding: Holding) -> str:
    return (
        "✗ Such a file holds weights alone. How its networks are built is told by a diffusers folder of the same "
        f"family ({title_of(holding.family) or 'unknown'}), of which only the small files are needed: download those, "
        "or put such a folder beside the file."
    )


def abilities_text(abilities: tuple[str, ...]) -> str:
    """What it can do, by comma."""
    return ", ".join(ABILITIES.get(ability, ability) for ability in abilities)


def formats_text(formats: Mapping[str, int]) -> str:
    """Number formats, the most frequent first."""
    ordered = sorted(formats, key=lambda name: -formats[name])
    return ", ".join(FORMATS.get(name, name.lower()) for name in ordered)
