"""The session: which panels were open and what was in them. Versioned JSON, saved atomically, restored tolerantly."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from studio.host.atomic import FileUnwritable, write_bytes

VERSION = 1  # raise when the meaning of a field changes; an older file is then kept as .bak and not restored
_MAX_BYTES = 16 << 20
_MAX_PANELS = 200


class OpenPanel(BaseModel):
    """One open panel: which plugin, its own name among several of one plugin, and what `Panel.state()` gave."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    panel: str = Field(min_length=1, max_length=100)
    name: str = ""
    state: dict[str, Any] = Field(default_factory=dict)


class Session(BaseModel):
    """What is open. `window` holds what the window itself keeps (geometry and dock layout as base64 text)."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    panels: tuple[OpenPanel, ...] = ()
    active: str = ""
    window: dict[str, str] = Field(default_factory=dict)


class SessionStore:
    """The session file. `notes` says, after `load` or `save`, what could not be kept or taken up. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notes: list[str] = []
        self._written: bytes | None = None
        self._lock = threading.Lock()

    def load(self) -> Session | None:
        """The last session; None when there is none or it cannot be used (then `notes` says why, and it is kept as
        .bak). A panel whose entry is damaged is left out alone."""
        self.notes = []
        try:
            with self.path.open("rb") as file:
                raw = file.read(_MAX_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            self.notes.append(f"The last session could not be read ({error.strerror or error}).")
            return None
        try:
            return self._parse(raw)
        except ValueError as error:
            self.notes.append(f"The last session could not be restored: {error}.")
            self._keep(raw)
            return None

    def save(self, session: Session) -> bool:
        """Write the session if it differs from what was written last; returns whether it was written.

        A panel state that is not JSON is left out alone, with a note. Raises FileUnwritable; the old file stays.
        """
        with self._lock:
            self.notes = []
            raw = self._dump(session)
            if raw == self._written:
                return False
            write_bytes(self.path, raw)
            self._written = raw
            return True

    def _dump(self, session: Session) -> bytes:
        panels = []
        for panel in session.panels:
            try:
                state = json.loads(json.dumps(panel.state))
            except (TypeError, ValueError, RecursionError) as error:
                self.notes.append(f"The state of “{panel.panel}” could not be kept ({error}).")
                state = {}
            panels.append({"panel": panel.panel, "name": panel.name, "state": state})
        data = {"version": VERSION, "panels": panels, "active": session.active, "window": session.window}
        return json.dumps(data, indent=1).encode()

    def _parse(self, raw: bytes) -> Session:
        if len(raw) > _MAX_BYTES:
            raise ValueError("its file is far too large")
        try:
            data = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise ValueError("its file is damaged") from error
        if not isinstance(data, Mapping):
            raise ValueError("its file is damaged")
        if data.get("version") != VERSION:
            raise ValueError(f"it was written by another version ({str(data.get('version'))[:20]})")
        entries = data.get("panels")
        panels = []
        for entry in entries[:_MAX_PANELS] if isinstance(entries, list) else []:
            try:
                panels.append(OpenPanel.model_validate(entry))
            except ValidationError:
                self.notes.append("The entry of one open panel was damaged; it was left out.")
        active, window = data.get("active"), data.get("window")
        texts = {k: v for k, v in window.items() if isinstance(v, str)} if isinstance(window, dict) else {}
        return Session(panels=tuple(panels), active=active if isinstance(active, str) else "", window=texts)

    def _keep(self, raw: bytes) -> None:
        try:
            write_bytes(self.path.with_name(self.path.name + ".bak"), raw)
        except FileUnwritable as error:
            self.notes.append(str(error))
