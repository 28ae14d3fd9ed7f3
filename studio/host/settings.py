"""Settings: pydantic sections in one TOML file, written atomically; a bad key is reset alone, never a crash."""

from __future__ import annotations

import threading
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from studio.host.atomic import FileUnwritable, write_bytes
from studio.host.request_errors import explain
from studio.host.request_fields import ui

_MAX_BYTES = 1 << 20
_BACKUPS = 9


class Section(BaseModel):
    """Base of a settings section; `form_spec(section)` gives the settings page its form."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Appearance(Section):
    """How the window looks."""

    theme: Literal["light", "dark", "system"] = ui("system", title="Theme", help="System follows the desktop.")
    font_scale: float = ui(1.0, title="Text size", help="1 is the size of the desktop.", ge=0.6, le=2.5, step=0.1)


class EngineSection(Section):
    """What the compute engine may use."""

    device: str = ui(
        "auto", title="Device", help="auto takes the fastest one found.", choices_from="devices", min_length=1,
        max_length=40,
    )  # fmt: skip
    threads: int = ui(0, title="CPU threads", help="0 leaves one core to the window.", ge=0, le=64)
    cache_gib: float = ui(
        0.0, title="Model memory", help="Loaded models kept at most; 0 chooses by the device.", unit="GiB", ge=0,
        le=256,
    )  # fmt: skip


class Panels(Section):
    """Which panels are offered."""

    user_plugins_enabled: bool = ui(
        False, title="Load my own plugins", help="Plugins run as programs: enable only what you trust."
    )
    disabled: tuple[str, ...] = ui((), title="Disabled panels", help="Panels that are not offered.")


class General(Section):
    """Start and exit."""

    check_previous_crash: bool = ui(True, title="Show the crash log of the last run", help="Shown at the next start.")
    restore_session: bool = ui(True, title="Open the panels of last time", help="Panels come back as they were.")


class Export(Section):
    """How pictures are saved."""

    image_format: Literal["png", "webp", "jpeg"] = ui("png", title="Picture format", help="PNG keeps every pixel.")
    embed_metadata: bool = ui(True, title="Write settings into pictures", help="So that a picture can be replayed.")
    jpeg_quality: int = ui(92, title="JPEG and WebP quality", help="Higher is larger and better.", ge=1, le=100)


class Settings(BaseModel):
    """All settings. Frozen: change them with `SettingsStore.update`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    appearance: Appearance = Appearance()
    engine: EngineSection = EngineSection()
    panels: Panels = Panels()
    general: General = General()
    export: Export = Export()


class SettingsStore:
    """The settings file and its current value. Thread-safe; listeners run on the thread that called `update`.

    Attributes: `notes`, sentences about what was reset while loading, to be shown once.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notes: list[str] = []
        self._value = Settings()
        self._lock = threading.RLock()
        self._listeners: list[Callable[[Settings], None]] = []

    @property
    def value(self) -> Settings:
        """The current settings."""
        return self._value

    def load(self) -> Settings:
        """Read the file. Bad or unknown keys get their defaults one by one, a .bak copy of the file is kept, and
        `notes` says what happened; a missing file means defaults. Never raises for a bad file."""
        with self._lock:
            self.notes = []
            try:
                with self.path.open("rb") as file:
                    raw = file.read(_MAX_BYTES + 1)
            except FileNotFoundError:
                self._value = Settings()
                return self._value
            except OSError as error:
                self.notes.append(f"The settings file “{self.path}” could not be read ({error}); defaults are used.")
                self._value = Settings()
                return self._value
            self._value, self.notes = parse(raw)
            if self.notes:
                self._keep_backup(raw)
            return self._value

    def save(self, value: Settings | None = None) -> None:
        """Write the settings (the given ones become current). Raises FileUnwritable; the old file then stays."""
        with self._lock:
            changed = value is not None and value != self._value
            if value is not None:
                self._value = value
            write_bytes(self.path, dump(self._value))
            listeners = list(self._listeners) if changed else []
        for listener in listeners:
            listener(self._value)

    def update(self, key: str, value: Any) -> Settings:
        """Set one key ("appearance.theme"), save, and tell the listeners.

        Raises SettingError for an unknown key or a bad value and FileUnwritable when the file cannot be written (the
        new value holds for this run nevertheless).
        """
        section_name, _, name = key.partition(".")
        section = getattr(self._value, section_name, None) if section_name in Settings.model_fields else None
        if not isinstance(section, Section) or name not in type(section).model_fields:
            raise SettingError(f"There is no setting “{key}”.")
        with self._lock:
            try:
                fresh = type(section).model_validate({**section.model_dump(), name: value})
            except ValidationError as error:
                raise SettingError(explain(error, type(section))) from error
            self.save(self._value.model_copy(update={section_name: fresh}))
        return self._value

    def on_change(self, listener: Callable[[Settings], None]) -> Callable[[], None]:
        """Call `listener(settings)` after each change; returns the function that ends this."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def _keep_backup(self, raw: bytes) -> None:
        """Keep the bad file beside the good one and write the good one, so that the note appears only once."""
        names = [self.path.with_name(f"{self.path.name}.bak{n or ''}") for n in range(_BACKUPS)]
        backup = next((name for name in names if not name.exists()), names[-1])
        try:
            write_bytes(backup, raw)
            write_bytes(self.path, dump(self._value))
            self.notes.append(f"The file as it was is kept as “{backup}”.")
        except FileUnwritable as error:
            self.notes.append(str(error))


class SettingError(ValueError):
    """A setting that does not exist or a value it cannot take; the message says which values are possible."""


def dump(settings: Settings) -> bytes:
    """The settings as TOML."""
    import tomli_w

    return tomli_w.dumps(settings.model_dump(mode="json")).encode("utf-8")


def parse(raw: bytes) -> tuple[Settings, list[str]]:
    """Read TOML bytes key by key: (settings, notes about what was reset). Accepts any bytes."""
    if len(raw) > _MAX_BYTES:
        return Settings(), ["The settings file is far too large to be one; all settings were reset."]
    try:
        # A byte-order mark is what some Windows editors put in front; tomllib would refuse the whole file for it.
        data: dict[str, Any] = tomllib.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
        return Settings(), [f"The settings file is not valid TOML ({error}); all settings were reset."]
    notes: list[str] = []
    sections: dict[str, Section] = {}
    for name, content in data.items():
        info = Settings.model_fields.get(name)
        section = info.annotation if info else None
        if not (isinstance(section, type) and issubclass(section, Section)):
            notes.append(f"The setting “{name}” is unknown and was removed.")
        elif not isinstance(content, dict):
            notes.append(f"The section “{name}” is not a table; its settings were reset.")
        else:
            sections[name] = _section(section, name, content, notes)
    return Settings.model_validate(sections), notes


def _section(section: type[Section], where: str, content: dict[str, Any], notes: list[str]) -> Section:
    """A section from the keys that are good; each bad one leaves a note."""
    good: dict[str, Any] = {}
    for key, value in content.items():
        if key not in section.model_fields:
            notes.append(f"The setting “{where}.{key}” is unknown and was removed.")
            continue
        try:
            section.model_validate({key: value})
        except ValidationError as error:
            notes.append(f"The setting “{where}.{key}” was reset. {explain(error, section)}")
        else:
            good[key] = value
    return section.model_validate(good)
