"""The prompts typed so far, kept on disk, newest first."""

from __future__ import annotations

import json
import os
from pathlib import Path

MAX_PROMPTS = 200


class PromptHistory:
    """Prompts in `path` (a JSON list of strings), newest first, each once.

    A missing or damaged file reads as empty: the history is a convenience and must never stand in the way of a
    picture.
    """

    def __init__(self, path: Path, limit: int = MAX_PROMPTS) -> None:
        self._path = path
        self._limit = limit
        self._prompts = self._load()

    @property
    def prompts(self) -> tuple[str, ...]:
        return tuple(self._prompts)

    def add(self, prompt: str) -> None:
        """Put a prompt in front. Raises OSError when it cannot be written (it is then remembered until exit)."""
        prompt = prompt.strip()
        if not prompt or (self._prompts and self._prompts[0] == prompt):
            return
        self._prompts = [prompt, *(old for old in self._prompts if old != prompt)][: self._limit]
        self._save()

    def clear(self) -> None:
        """Forget all prompts. Raises OSError when the folder cannot be written."""
        self._prompts = []
        self._save()

    def _load(self) -> list[str]:
        try:
            data = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return []
        if not isinstance(data, list):
            return []
        return [entry for entry in data if isinstance(entry, str)][: self._limit]

    def _save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_suffix(".tmp")
        temporary.write_text(json.dumps(self._prompts, ensure_ascii=False, indent=1), encoding="utf-8")
        os.replace(temporary, self._path)
