"""Kinds, origins and sizes as people read them, and the tables that are exported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from studio.host.export import Table
from studio.models.importing import Outcome
from studio.models.inventory import Entry
from studio.models.survey import Row

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "text2im": "Text to picture",
        "class-conditional": "Class to picture",
        "unconditional": "Noise to picture",
        "upsample": "Up-sampling",
        "inpaint": "Inpainting",
        "upsample-inpaint": "Up-sampling and inpainting",
        "clip": "CLIP",
        "classifier": "Classifier",
        "vision": "Vision transformer",
        "causal": "Text continued",
        "encoder-decoder": "Text to text",
    }
)
"""Kinds of models, in the order of the list."""

ORIGINS: Mapping[str, str] = MappingProxyType(
    {
        "bundled": "ships with the studio", "imported": "imported", "opened": "opened from elsewhere",
        "added": "in a folder you added",
    }  # fmt: skip
)


def size_text(count: float) -> str:
    """1536 -> "1.5 KiB"."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1000 or unit == "GiB":
            return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError("unreachable: the loop ends with GiB")


def state_text(row: Row) -> str:
    """What can be done with a file, in a few words."""
    if row.problem:
        return row.problem
    return "imported already" if row.imported else "ready to import"


def short_state(row: Row, outcome: Outcome | None) -> str:
    """The state in a word or two, for a narrow column."""
    if outcome is not None:
        return "not imported" if outcome.problem else "verified"
    if row.problem:
        return "incomplete" if row.title else "refused"
    return "imported" if row.imported else "ready"


def outcome_text(outcome: Outcome) -> str:
    """What became of an import."""
    return outcome.problem or f"imported and verified: {outcome.proof}"


def models_table(entries: Sequence[Entry]) -> Table:
    """The models on this machine, a row each."""
    return Table(
        {
            "model": [entry.info.title for entry in entries],
            "kind": [entry.info.kind for entry in entries],
            "pixels": [entry.info.size for entry in entries],
            "origin": [entry.origin for entry in entries],
            "parameters": [entry.parameters for entry in entries],
            "bytes": [entry.nbytes for entry in entries],
            "place": [str(entry.info.folder) for entry in entries],
        }
    )


def files_table(rows: Sequence[Row], outcomes: Mapping[str, Outcome]) -> Table:
    """The files of the folder looked into, a row each, with what became of those imported."""
    done = [outcomes.get(str(row.path)) for row in rows]
    return Table(
        {
            "file": [row.path.name for row in rows],
            "what": [row.title for row in rows],
            "bytes": [row.nbytes for row in rows],
            "memory_single": [row.single for row in rows],
            "memory_half": [row.half for row in rows],
            "needs": ["; ".join(f"{need.text}: {'here' if need.here else 'missing'}" for need in row.needs) for row in rows],
            "state": [
                state_text(row) if outcome is None else outcome_text(outcome)
                for row, outcome in zip(rows, done, strict=True)
            ],
        }
    )


def summary_text(outcomes: Sequence[Outcome], unkept: str) -> tuple[str, str]:
    """What to say of an import, and how loudly."""
    good = [outcome for outcome in outcomes if outcome.model]
    bad = len(outcomes) - len(good)
    text = f"{len(good)} model{'s' if len(good) != 1 else ''} imported and verified; every panel offers them now."
    if bad:
        text += f" {bad} could not be imported: the reason is in its row."
    if unkept:
        text += f" The report is not in History. {unkept}"
    return text, "warning" if bad or unkept else "success"
