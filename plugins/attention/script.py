"""What is looked at, as a Python script: the same capture, the same head, nothing of the window."""

from __future__ import annotations

from pathlib import Path

from studio_plugins.attention.request import EMOJI
from studio_plugins.attention.sight import Sight


def script(sight: Sight) -> str:
    """A script that prints the answer and the map of the head looked at."""
    overview = sight.overview
    assert overview is not None
    request, head = overview.request, sight.head or overview.heads[0]
    place = repr(request.model) if Path(request.model).is_absolute() else f"str(bundled_folder() / {request.model!r})"
    given: list[str] = []
    if "picture" in request.takes:
        if request.picture.startswith(EMOJI):
            noun, _, ground = request.picture.removeprefix(EMOJI).partition(":")
            given.append(f"picture=render(Scene('single', (Placed({noun!r}, 0.5, 0.5, 0.6),), {ground or 'blue'!r}), 256)")
        else:
            given.append(f"picture=np.asarray(Image.open({request.picture!r}).convert('RGB'))")
    if "captions" in request.takes:
        given.append(f"captions={request.caption_list!r}")
    if "text" in request.takes:
        given.append(f"text={request.text!r}")
    if "target" in request.takes and request.target:
        given.append(f"target={request.target!r}")
    if request.fit in ("start", "end"):
        given.append(f"fit={request.fit!r}")
    off = sorted(sight.off)
    lines = [
        '"""Attention of one head, captured by Glassbox Studio."""',
        "",
        "from pathlib import Path",
        "",
        "import numpy as np",
        *(["from PIL import Image"] if "picture" in request.takes and not request.picture.startswith(EMOJI) else []),
        "",
        "from studio.ml.attention.ablation import effect",
        "from studio.ml.attention.capture import capture",
        "from studio.ml.attention.maps import head",
        "from studio.ml.attention.opening import open_folder",
        "from studio.ml.attention.values import Asked, Head",
        *(["from studio.ml.data.scenes import Placed, Scene, render"] if request.picture.startswith(EMOJI) else []),
        *(["from studio.models.catalog import bundled_folder"] if place.startswith("str(") else []),
        "",
        f"subject = open_folder(Path({place}))",
        f"asked = Asked({', '.join(given)})",
        "trace = capture(subject, asked)",
        "print(trace.badge)",
        "for scores in trace.scores:",
        "    print(scores.about, [(guess.text, round(guess.probability, 4)) for guess in scores.best[:5]])",
        "",
        f"site = trace.site({head[0]!r})",
        "# Rows ask, columns are asked; NaN where the mask forbids it.",
        f"attention = head(trace, site.name, {head[1]}, {min(sight.part, overview.site(head[0]).parts - 1)})",
        "print(trace.rows(site).words)",
        "print(trace.columns(site).words)",
        "print(np.round(attention, 3))",
    ]
    if off:
        heads = ", ".join(f"Head({site!r}, {number})" for site, number in off)
        lines += [
            "", f"for one in effect(subject, asked, [{heads}]):",
            "    print('KL', one.kl, [(change.text, change.before, change.after) for change in one.changes[:5]])",
        ]  # fmt: skip
    if overview.written:
        lines += [
            "", "from studio.ml.attention.generation import Writing", "",
            f"for step in Writing(subject, asked, tokens={request.tokens}):", "    print(step.text, round(step.probability, 4))",
        ]  # fmt: skip
    return "\n".join(lines) + "\n"
