"""The right column: the model in numbers, the chosen part, and sums of parameters, operations, crossing."""

from __future__ import annotations

from PySide6.QtWidgets import QLabel, QWidget

from studio.ml.anatomy.flops import cost_terms, crossing, crossing_words
from studio.ml.anatomy.tracing import Part
from studio.ui.cards import Facts, FormulaCard
from studio.ui.panel_layout import PanelLayout
from studio_plugins.anatomy.formulas import formula, numbers, values
from studio_plugins.anatomy.results import Look
from studio_plugins.anatomy.words import full, parameters_words, plain, sub

_TIPS = {
    "D": "Width of the residual stream",
    "L": "Layers of this stack",
    "H": "Heads of queries",
    "Hₖᵥ": "Heads of keys and values; fewer than H where several queries share them (GQA)",
    "d": "Numbers of a head",
    "F": "Inner width of the feed-forward network",
    "T": "Tokens of a sequence. A picture has a square number of patches, and a class token",
}


class Insight(QWidget):
    """Builds its sections into a PanelLayout."""

    def __init__(self, zones: PanelLayout) -> None:
        super().__init__(zones)
        self.hide()  # only the owner of the sections below
        self._facts = Facts(zones)
        self._facts.set_facts({"model": "open one to see its numbers"})
        self._notes = QLabel(zones)
        self._notes.setWordWrap(True)
        self._notes.setProperty("tone", "faint")
        self._notes.hide()
        zones.add_insight("The model", self._facts).add(self._notes)
        self._part = FormulaCard("Click a part of the layer", "", "Its formula and shapes stand here.", zones)
        self._part_section = zones.add_insight("Chosen part", self._part)
        self._parameters = FormulaCard("12D² + 13D, in the classical layer", parent=zones)
        zones.add_insight("Parameters of a layer", self._parameters)
        self._flops = FormulaCard("L (24T·D² + 4T²·D)", parent=zones)
        zones.add_insight("Operations of all layers", self._flops)
        self._crossing = FormulaCard("T = 6D, in the classical layer", parent=zones)
        zones.add_insight("Where T² takes over", self._crossing)

    def show_look(self, look: Look) -> None:
        """The numbers of a look."""
        self._show_facts(look)
        self._show_parameters(look)
        self._show_flops(look)
        self._show_crossing(look)

    def show_part(self, part: Part | None) -> None:
        """A part of the layer, or none."""
        if part is None:
            self._part.set_formula("Click a part of the layer")
            self._part.set_note("Its formula and shapes stand here.")
            self._part_section.set_heading("Chosen part")
            return
        self._part_section.set_heading(part.path or part.name)
        self._part.set_formula(formula(part), numbers(part))
        self._part.set_numbers(values(part))
        between = "" if part.kind in ("input", "output") else "between the modules"
        self._part.set_note(part.module or between)

    def fact(self, name: str) -> str:
        """A fact of the model, as shown. Raises KeyError."""
        return self._facts.fact(name)

    def texts(self) -> dict[str, str]:
        """The lines with numbers, for tests."""
        return {
            "part": self._part.text(), "parameters": self._parameters.text(), "flops": self._flops.text(),
            "crossing": self._crossing.text(),
        }  # fmt: skip

    def _show_facts(self, look: Look) -> None:
        anatomy = look.shown_anatomy
        blueprint = anatomy.blueprint
        facts = {"type": blueprint.model_type or "unknown"}
        if anatomy.model_class:
            facts["class"] = anatomy.model_class
        facts["parameters"] = f"{full(look.parameters)} ({parameters_words(look.parameters)})"
        if blueprint.stored:
            stored = (f"{parameters_words(count)} of {kind}" for kind, count in blueprint.stored.items())
            facts["in the files"] = ", ".join(stored)
        if look.stack is not None:
            sizes = dict(look.stack.sizes())
            if sizes["H_kv"] == sizes["H"]:
                del sizes["H_kv"]
            facts |= {plain(name): full(value) for name, value in sizes.items()}
            facts["T"] = full(look.tokens)
            made_for = anatomy.lengths.get(look.stack.path, 0)
            if made_for:
                facts["made for"] = f"{made_for:,} tokens"
        self._facts.set_facts(facts, _TIPS)
        notes = list(blueprint.notes)
        if look.change is not None:
            notes.append("Hypothetical: this size was never trained. F and H_kv keep their proportions.")
        made_for = anatomy.lengths.get(look.stack.path, 0) if look.stack is not None else 0
        if look.stack is not None and 0 < made_for < look.tokens and look.stack.kind != "vision":
            notes.append("Longer than the model was made for: the arithmetic holds, the model's positions may not.")
        self._notes.setText("\n\n".join(notes))
        self._notes.setVisible(bool(notes))

    def _show_parameters(self, look: Look) -> None:
        if look.stack is None:
            self._parameters.set_formula("no formula here")
            self._parameters.set_note("")
            return
        block = look.stack.block
        terms = block.terms()
        self._parameters.set_formula(
            "<br>+ ".join(f"{sub(term.symbols)} <i>{term.name}</i>" for term in terms),
            "<br>+ ".join(f"$t{i}" for i in range(len(terms))) + "<br>= $total",
        )
        shown = {f"t{i}": f"{term.numbers}" for i, term in enumerate(terms)}
        self._parameters.set_numbers({**shown, "total": full(block.parameters)})
        self._parameters.set_note(
            ""
            if look.stack.known
            else "Of an unknown family: attention and feed-forward as its configuration has them, no biases, no norms."
        )

    def _show_flops(self, look: Look) -> None:
        if look.stack is None:
            self._flops.set_formula("no formula here")
            self._flops.set_note("")
            return
        terms = cost_terms(look.stack, look.tokens, look.request.batch, look.source)
        self._flops.set_formula(
            "<br>+ ".join(f"{sub(term.symbols)} <i>{term.name}</i>" for term in terms),
            "<br>+ ".join(f"{full(term.value)}" for term in terms) + "<br>= $total$ratio",
        )
        total, ratio = look.cost().total, ""
        measured = look.measured
        if measured is not None and measured.metered is not None:
            counted = measured.metered.stacks.get(look.stack.path, 0)
            ratio = f"<br>counted {full(counted)}<br>ratio {counted / total:.6f}"
        self._flops.set_numbers({"total": full(total), "ratio": ratio})
        note = "Two operations for each multiply-add; full attention, no masked half left out."
        if measured is not None and measured.metered is not None:
            rest = measured.metered.total - sum(measured.metered.stacks.values())
            note += f" The whole model: {full(measured.metered.total)}, {full(rest)} of them outside of layers."
        self._flops.set_note(note)

    def _show_crossing(self, look: Look) -> None:
        if look.stack is None:
            self._crossing.set_formula("no formula here")
            return
        at = crossing(look.stack.block)
        self._crossing.set_formula(
            f"{sub(crossing_words(look.stack.block))}",
            "T = $rest against all else<br>T = $ffn against the feed-forward network<br>$attention",
        )
        last = f"T = {at.attention:,.0f}: all of attention against it" if at.attention else "at any T all of attention"
        self._crossing.set_numbers({"rest": f"{at.rest:,.0f}", "ffn": f"{at.ffn:,.0f}", "attention": last})
