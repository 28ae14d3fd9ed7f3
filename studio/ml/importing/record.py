"""What an import proved, as it is kept in config.json."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Source:
    """A file a model was made of, as it was then."""

    name: str
    nbytes: int
    sha256: str
    path: str
    modified_ns: int


@dataclass(frozen=True)
class Record:
    """sources: what the model was made of; sha256: of its weights file; tensors: how many were compared bit for bit.

    formats: number formats. untried: None before the network was evaluated, "" when it gave numbers, else why it was
    not evaluated.
    """

    sources: tuple[Source, ...]
    sha256: str
    tensors: int
    formats: tuple[str, ...]
    untried: str | None = None

    def tried(self, problem: str) -> Record:
        """The record after the trial; `problem` says why there was none."""
        return replace(self, untried=problem)
