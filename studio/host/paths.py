"""Where the studio keeps its data: one folder, so that a person can back it up, move it or delete it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from studio.host.atomic import FileUnwritable

VARIABLE = "GLASSBOX_DATA_DIR"


@dataclass(frozen=True)
class DataPaths:
    """The data folder and what lies in it. Creating the value touches no disk; `ensure` makes the folder."""

    root: Path

    @classmethod
    def default(cls, data_dir: str | Path | None = None, environ: Mapping[str, str] | None = None) -> DataPaths:
        """`data_dir` (--data-dir) if given, else $GLASSBOX_DATA_DIR, else the user data folder of the platform."""
        chosen = str(data_dir or "") or (os.environ if environ is None else environ).get(VARIABLE, "")
        if chosen:
            return cls(Path(chosen).expanduser().absolute())
        from platformdirs import user_data_path

        return cls(user_data_path("glassbox-studio", appauthor=False))

    @property
    def results(self) -> Path:
        """Folder of the results store."""
        return self.root / "results"

    @property
    def settings(self) -> Path:
        """The settings file."""
        return self.root / "settings.toml"

    @property
    def session(self) -> Path:
        """Open panels and their states."""
        return self.root / "session.json"

    @property
    def recovery(self) -> Path:
        """Folder of the recovery copies of documents with unsaved changes."""
        return self.root / "recovery"

    @property
    def crash(self) -> Path:
        """Folder of crash logs."""
        return self.root / "crash"

    @property
    def plugins(self) -> Path:
        """Folder of the user's own plugins."""
        return self.root / "plugins"

    @property
    def cache(self) -> Path:
        """Folder of what can be made again (converted checkpoints, for example)."""
        return self.root / "cache"

    @property
    def models(self) -> Path:
        """Folder of the models imported on this machine, a folder each; all panels offer them."""
        return self.root / "models"

    def publish(self) -> DataPaths:
        """Make this the data folder of the whole process and of what it starts: `default()` gives it from now on."""
        os.environ[VARIABLE] = str(self.root)
        return self

    def ensure(self) -> DataPaths:
        """Create the data folder. Raises FileUnwritable with what to do."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            hint = "or start with --data-dir FOLDER to use another one"
            raise FileUnwritable(self.root, error, hint) from error
        return self
