"""The right column: facts of the model or file chosen, what it needs, what it takes to run."""

from __future__ import annotations

from PySide6.QtWidgets import QLabel

from studio.models.importing import Outcome
from studio.models.inventory import Entry
from studio.models.survey import Row
from studio.ui.cards import Facts
from studio.ui.panel_layout import PanelLayout
from studio_plugins.models.words import KINDS, ORIGINS, outcome_text, size_text, state_text

_WEIGHTS_TIP = "Parameters × 4 bytes (single) or × 2 bytes (half precision); activations come on top"
_RUN_TIP = "Weights and activations for one picture at full size: an estimate from the sizes of all tensors"


class Insight:
    """Builds its sections into a PanelLayout."""

    def __init__(self, zones: PanelLayout) -> None:
        self.facts, self.memory = Facts(zones), Facts(zones)
        self.needs = QLabel(zones)
        self.needs.setWordWrap(True)
        self.state = QLabel(zones)
        self.state.setWordWrap(True)
        self._facts = zones.add_insight("Facts", self.facts)
        self._memory = zones.add_insight("Memory", self.memory)
        self._needs = zones.add_insight("Needs", self.needs)
        self._state = zones.add_insight("State", self.state)
        self.show_entry(None)

    def show_entry(self, entry: Entry | None) -> None:
        """The facts of a model on this machine."""
        self._show(entry is not None, bool(entry and entry.parameters), needs=False, state=False)
        if entry is None:
            return
        info = entry.info
        facts = {
            "Kind": KINDS[info.kind],
            "Pictures": f"{info.size}×{info.size} pixels",
            "Parameters": f"{entry.parameters:,}" if entry.parameters else "listed after the first opening",
            "Stored as": ", ".join(entry.formats) or "–",
            "On the disk": size_text(entry.nbytes),
            "Origin": ORIGINS[entry.origin],
            "Place": str(info.folder),
        }
        if info.classes:
            facts["Classes"] = f"{len(info.classes):,}: {info.classes[0]}, …, {info.classes[-1]}"
        if info.words:
            facts["Words"] = f"{len(info.words):,}"
        self.facts.set_facts(facts)
        if entry.parameters:
            single, half = entry.memory
            self.memory.set_facts(
                {"Weights, single": size_text(single), "Weights, half": size_text(half)},
                dict.fromkeys(("Weights, single", "Weights, half"), _WEIGHTS_TIP),
            )

    def show_row(self, row: Row | None, outcome: Outcome | None = None) -> None:
        """The facts of a file that was found."""
        self._show(row is not None, bool(row and row.single), needs=bool(row and row.needs), state=row is not None)
        if row is None:
            return
        facts = {"File": row.path.name, "Folder": str(row.path.parent), "Size": size_text(row.nbytes)}
        if row.title:
            facts |= {"What": row.title, "Use": row.task, "Parameters": f"{row.parameters:,}", "Stored as": ", ".join(row.formats)}
        self.facts.set_facts(facts, {"File": str(row.path)})
        memory = {
            "To run, single": size_text(row.single),
            "To run, half": size_text(row.half),
            "To convert": size_text(row.converting) if row.converting else "next to none",
        }
        tips = {"To run, single": _RUN_TIP, "To run, half": _RUN_TIP, "To convert": "Files in torch's newer format are mapped, not read whole"}
        self.memory.set_facts(memory, tips)
        self.needs.setText("\n".join(_need_text(row)))
        self.state.setText(state_text(row) if outcome is None else outcome_text(outcome))

    def _show(self, facts: bool, memory: bool, *, needs: bool, state: bool) -> None:
        for section, shown in ((self._facts, facts), (self._memory, memory), (self._needs, needs), (self._state, state)):
            section.setVisible(shown)


def _need_text(row: Row) -> list[str]:
    marks = {True: "✓", False: "✗"}
    return [
        f"{marks[need.here]} {need.text}" + ("" if need.here else " (missing)" if need.required else " (none here yet)")
        for need in row.needs
    ]


