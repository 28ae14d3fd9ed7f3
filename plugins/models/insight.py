"""The right column: facts of the model or file chosen, what it needs, what it takes to run."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PySide6.QtWidgets import QLabel

from studio.models.importing import Outcome
from studio.models.inventory import Entry
from studio.models.library.families import title_of
from studio.models.library.holding import Holding
from studio.models.survey import Row
from studio.ui.cards import Facts
from studio.ui.panel_layout import PanelLayout
from studio_plugins.models.file_tools import FileTools
from studio_plugins.models.items import Item, Place
from studio_plugins.models.library_words import KIND_TEXTS, PANELS, abilities_text, formats_text
from studio_plugins.models.library_words import state_text as holding_text
from studio_plugins.models.words import KINDS, ORIGINS, outcome_text, size_text, state_text

_WEIGHTS_TIP = "Parameters × 4 bytes (single) or × 2 bytes (half precision); activations come on top"
_DECODER_TIP = "An estimate: weights, and the decoder's largest maps for one picture at full size; offloading needs less"
_LENGTH_TIP = "Weights alone; activations depend on the length of the text"
_RUN_TIP = "Weights and activations for one picture at full size: an estimate from the sizes of all tensors"


class Insight:
    """Builds its sections into a PanelLayout. titles: what the panels of this window are called, by id."""

    def __init__(self, zones: PanelLayout, titles: Callable[[], Mapping[str, str]] = dict) -> None:
        self._titles = titles
        self.facts, self.memory = Facts(zones), Facts(zones)
        self.needs = QLabel(zones)
        self.needs.setWordWrap(True)
        self.state = QLabel(zones)
        self.state.setWordWrap(True)
        self._facts = zones.add_insight("Facts", self.facts)
        self._memory = zones.add_insight("Memory", self.memory)
        self._needs = zones.add_insight("Needs", self.needs)
        self._state = zones.add_insight("State", self.state)
        self.files = FileTools(zones)
        self._files = zones.add_insight("Files", self.files)
        self.show_item(None)

    def show_item(self, item: Item | None) -> None:
        """The facts of what was chosen in the list."""
        value = item.value if item is not None else None
        if value is None:
            self._show(False, False, needs=False, state=False)
        elif isinstance(value, Place):
            self._show(True, False, needs=False, state=False)
            self.facts.set_facts({"Folder": str(value.folder), "Models": f"{value.count:,}"})
        elif isinstance(value, Entry):
            self._show_entry(value)
        else:
            self._show_holding(value)

    def _show_holding(self, holding: Holding) -> None:
        """The facts of a model of the library."""
        self._show(True, bool(holding.count), needs=False, state=True, files=True)
        facts = {
            "Kind": KIND_TEXTS[holding.kind],
            "Family": title_of(holding.family) if holding.family != "other" else "",
            "Class": holding.what,
            "Can do": abilities_text(holding.abilities),
            "Opens in": self._panels(holding.kind, holding.usable),
            "Pictures": f"{holding.size}×{holding.size} pixels" if holding.size else "",
            "Parameters": f"{holding.count:,}" if holding.count else "",
            "Stored as": formats_text(holding.formats),
            "On the disk": size_text(holding.nbytes),
            "Licence": holding.licence or "not stated",
            "From": "Hugging Face cache" if holding.source == "hub" else "a folder you added",
            "Revision": holding.revision,
            "Place": str(holding.place),
        }
        parts = "\n".join(f"{name}: {count:,}" for name, count in holding.parameters.items())
        self.facts.set_facts({name: text for name, text in facts.items() if text}, {"Parameters": parts})
        tip = _DECODER_TIP if holding.peak else _LENGTH_TIP
        what = "To run" if holding.peak else "Weights"
        widths = {"single": 4, "half": 2}
        texts = {f"{what}, {name}": f"about {size_text(holding.memory(width))}" for name, width in widths.items()}
        self.memory.set_facts(texts, dict.fromkeys(texts, tip))
        self.state.setText(holding_text(holding))
        self.files.show_place(holding.place, pickled=holding.pickled)

    def _panels(self, kind: str, usable: bool = True) -> str:
        """The panels of this window that open a kind of model."""
        titles = self._titles()
        named = ", ".join(titles[panel] for panel in PANELS.get(kind, ()) if panel in titles)
        return (named or "no panel yet") if usable else "no panel"

    def _show_entry(self, entry: Entry) -> None:
        """The facts of a model of the studio's own."""
        self._show(True, bool(entry.parameters), needs=False, state=False, files=True)
        self.files.show_place(entry.info.folder)
        info = entry.info
        facts = {
            "Kind": KINDS[info.kind],
            "Pictures": f"{info.size}×{info.size} pixels" if info.size else "none",
            "Opens in": self._panels(info.kind),
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
        if info.length:
            facts["Reads"] = f"up to {info.length:,} words"
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

    def _show(self, facts: bool, memory: bool, *, needs: bool, state: bool, files: bool = False) -> None:
        for section, shown in (
            (self._facts, facts), (self._memory, memory), (self._needs, needs), (self._state, state),
            (self._files, files),
        ):  # fmt: skip
            section.setVisible(shown)


def _need_text(row: Row) -> list[str]:
    marks = {True: "✓", False: "✗"}
    return [
        f"{marks[need.here]} {need.text}" + ("" if need.here else " (missing)" if need.required else " (none here yet)")
        for need in row.needs
    ]


