"""The control form of a request, generated from its fields."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Generic, TypeVar

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget
from pydantic import BaseModel, ValidationError

from studio.host.request import Choice, FieldSpec, Request, RequestError, field_errors, form_spec
from studio.ui.collapsible import Collapsible
from studio.ui.fields import ChoiceField, FieldEditor, LineField, NumberField, SwitchField
from studio.ui.text_fields import PromptField, SeedField
from studio.ui.tokens import SPACE_M

ModelT = TypeVar("ModelT", bound=BaseModel)
_SPIN_LIMIT = 2**31 - 1


class RequestForm(QWidget, Generic[ModelT]):
    """A form for one request class (or settings section).

    `value()` builds the request (RequestError when it is not valid; the words then stand below the fields), `set_value`
    shows one. Fields with `widget="hidden"`, of a kind without an editor, or in `exclude` keep the value last set.
    Fields `without_effect` are greyed or hidden, with the reason.
    `providers` maps the `choices_from` name of a field to a function that lists Choice, (value, label) or plain values.
    Signals: `changed` at every edit, `submitted` on Ctrl+Enter in a prompt.
    """

    changed = Signal()
    submitted = Signal()

    def __init__(
        self,
        model: type[ModelT],
        parent: QWidget | None = None,
        *,
        exclude: Collection[str] = (),
        providers: Mapping[str, Callable[[], Sequence[Any]]] | None = None,
    ) -> None:
        super().__init__(parent)
        self._model = model
        self._providers = dict(providers or {})
        self._editors: dict[str, FieldEditor] = {}
        self._kept: dict[str, Any] = {}
        self._groups: dict[str, Collapsible] = {}
        self._quiet = False
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_M)
        for spec in form_spec(model):
            editor = None if spec.name in exclude else _editor(spec, self)
            if editor is None:
                self._kept[spec.name] = spec.default
                continue
            self._add(editor, layout)
        self.refresh_choices()
        self._quiet = True
        for name, editor in self._editors.items():
            if editor.spec.default is not None:
                editor.set_value(editor.spec.default)
        self._quiet = False
        self._show_idle()

    def value(self) -> ModelT:
        """The request in the form. Raises RequestError; what is wrong is then also said below each field."""
        fields = {**self._kept, **{name: editor.value() for name, editor in self._editors.items()}}
        try:
            made = self._model.model_validate(fields)
        except ValidationError as error:
            self._show_errors(field_errors(error, self._model))
            raise RequestError.from_validation(error, self._model) from error
        self._show_errors({})
        return made

    def valid_value(self) -> ModelT | None:
        """The request, or None while something in the form is not valid (live modes use this)."""
        try:
            return self.value()
        except RequestError:
            return None

    def set_value(self, request: ModelT) -> None:
        """Show a request; `changed` fires once."""
        self.set_fields({name: getattr(request, name) for name in self._model.model_fields})

    def set_fields(self, fields: Mapping[str, Any]) -> list[str]:
        """Show some fields. Returns a sentence for each that this form does not know or cannot take."""
        problems: list[str] = []
        self._quiet = True
        for name, value in fields.items():
            if name in self._editors:
                try:
                    self._editors[name].set_value(value)
                except (TypeError, ValueError, OverflowError):
                    problems.append(f"{self._editors[name].spec.title}: {value!r} is no value it can take")
            elif name in self._kept:
                self._kept[name] = value
            else:
                problems.append(f"“{name}” is not a setting here")
        self._quiet = False
        self._edited()
        return problems

    def field(self, name: str) -> FieldEditor:
        """The editor of a field. Raises KeyError when the form does not show it."""
        return self._editors[name]

    def field_names(self) -> list[str]:
        """The fields shown, in order."""
        return list(self._editors)

    def prompt_field(self, name: str = "prompt") -> PromptField:
        """The editor of a prompt. Raises TypeError when the field is none."""
        editor = self._editors[name]
        if not isinstance(editor, PromptField):
            raise TypeError(f"the field {name} is no prompt")
        return editor

    def set_choices(self, name: str, choices: Sequence[Any]) -> None:
        """Offer other entries in a choice field: Choice, (value, label) or plain values."""
        editor = self._editors[name]
        if isinstance(editor, ChoiceField):
            editor.set_choices([_choice(entry) for entry in choices])

    def refresh_choices(self) -> None:
        """Ask the providers again (a model was added)."""
        for name, editor in self._editors.items():
            provider = self._providers.get(editor.spec.choices_from)
            if provider is not None:
                self.set_choices(name, provider())

    def advance_seeds(self) -> None:
        """Before a run: draw new seeds where the person did not ask to keep them."""
        for editor in self._editors.values():
            if isinstance(editor, SeedField):
                editor.advance()

    def _add(self, editor: FieldEditor, layout: QVBoxLayout) -> None:
        spec = editor.spec
        heading = _heading(spec)
        if heading:
            if heading not in self._groups:
                self._groups[heading] = Collapsible(heading, self, expanded=not spec.advanced)
                layout.addWidget(self._groups[heading])
            self._groups[heading].add(editor)
        else:
            layout.addWidget(editor)
        self._editors[spec.name] = editor
        editor.changed.connect(self._edited)
        if isinstance(editor, PromptField):
            editor.submitted.connect(self.submitted)

    def _edited(self) -> None:
        if self._quiet:
            return
        self._show_idle()
        self.changed.emit()

    def _show_idle(self) -> None:
        """Grey or hide what has no effect; while something is not valid, as it was."""
        request = self.valid_value()
        if not isinstance(request, Request):
            return
        idle = request.without_effect()
        for name, editor in self._editors.items():
            editor.set_idle(idle.get(name))
        for heading, group in self._groups.items():
            inside = [editor for editor in self._editors.values() if _heading(editor.spec) == heading]
            group.setHidden(all(editor.isHidden() for editor in inside))

    def _show_errors(self, errors: Mapping[str, str]) -> None:
        for name, editor in self._editors.items():
            if editor.error() != errors.get(name, ""):
                editor.set_error(errors.get(name, ""))


def _heading(spec: FieldSpec) -> str:
    """Of the section a field stands in; empty for those that are always in sight."""
    return spec.group or ("Advanced" if spec.advanced else "")


def _editor(spec: FieldSpec, parent: QWidget) -> FieldEditor | None:
    if spec.widget == "hidden":
        return None
    match spec.kind:
        case "text":
            return PromptField(spec, parent)
        case "seed":
            return SeedField(spec, parent)
        case "choice":
            return ChoiceField(spec, parent)
        case "bool":
            return SwitchField(spec, parent)
        case "int" | "float":
            unlimited = max(abs(spec.minimum or 0), abs(spec.maximum or 0)) > _SPIN_LIMIT
            return LineField(spec, parent) if unlimited or spec.optional else NumberField(spec, parent)
        case "str" | "path" | "list":
            return LineField(spec, parent)
        case _:
            return None


def _choice(entry: Any) -> Choice:
    if isinstance(entry, Choice):
        return entry
    return Choice(entry[0], str(entry[1])) if isinstance(entry, tuple) else Choice(entry, str(entry))
