"""The card of an imported model: what it is, where it came from, what was proved, what it needs."""

from __future__ import annotations

from collections.abc import Sequence

from studio.ml.importing.needs import memory_of
from studio.ml.importing.published import Published
from studio.ml.importing.record import Record

_ORIGIN = {
    "glide": (
        "OpenAI's GLIDE (filtered), December 2021: Nichol et al., arXiv 2112.10741. Trained on 67 million pairs of "
        "pictures and texts from which people, symbols of hate and violence were filtered; its authors' model card does "
        "not recommend commercial use. Published with code under the MIT licence."
    ),
    "adm": (
        "OpenAI's guided-diffusion (ADM), July 2021: Dhariwal & Nichol, arXiv 2105.05233. Trained on ImageNet. "
        "Published with code under the MIT licence."
    ),
}
_TITLES = {"clip": "GLIDE (filtered) noised CLIP"}


def title_of(networks: Sequence[Published]) -> str:
    """What the model of these networks is called."""
    return _TITLES.get(networks[0].kind, networks[0].title)


def card(networks: Sequence[Published], record: Record) -> str:
    """MODEL_CARD.md of an imported model."""
    count = sum(network.parameters for network in networks)
    blocks = [
        f"# {title_of(networks)}",
        f"{count:,} parameters, stored as {' and '.join(record.formats)}. Imported.",
        "## What it is",
        "\n".join(f"- {network.title}: {network.task}." for network in networks),
        _ORIGIN[networks[0].name.partition("-")[0]] if networks[0].name.partition("-")[0] in _ORIGIN else "",
        "## Memory to run",
        _memory(networks),
        "## Imported from",
        "\n".join(["| file | bytes | SHA-256 |", "|---|---|---|"])
        + "".join(f"\n| {source.name} | {source.nbytes:,} | {source.sha256} |" for source in record.sources),
        "## Verified",
        _verified(record),
        "## Measured quality",
        "Not measured by this studio; the papers named above report their own figures.",
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _memory(networks: Sequence[Published]) -> str:
    rows = ["| network | weights | activations | in all | in half precision |", "|---|---|---|---|---|"]
    for network in networks:
        memory = memory_of(network)
        figures = (memory.weights, memory.activations, memory.single, memory.half)
        rows.append(f"| {network.title} | " + " | ".join(f"{figure / 2**20:,.0f} MiB" for figure in figures) + " |")
    note = "For one picture at full size; an estimate from the sizes of all tensors, without scratch space."
    return "\n".join(rows) + f"\n\n{note}"


def _verified(record: Record) -> str:
    lines = [
        f"- All {record.tensors:,} tensors were read back and are equal to the source bit for bit; names and shapes are "
        "those published.",
        f"- SHA-256 of model.safetensors: {record.sha256}",
    ]
    if record.untried == "":
        lines.append("- Opened and evaluated once on noise: every number is finite.")
    elif record.untried:
        lines.append(f"- Not evaluated: {record.untried}.")
    return "\n".join(lines)
