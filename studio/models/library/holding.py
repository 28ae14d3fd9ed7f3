"""A model in the library as plain data, which can be kept in a JSON file and read again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

Kind = Literal["pipeline", "transformers", "own", "checkpoint", "part", "pickle", "unknown"]
"""A diffusers pipeline; a transformers folder; one of the studio's own; a single file with a whole pipeline's weights;
a piece of one (LoRA, VAE, ControlNet); a file that may run code; weights that are not recognised."""
Source = Literal["folder", "hub"]
"""A folder a person added; the cache in which programs keep what they fetched from Hugging Face."""

TEXT_TO_PICTURE, PICTURE_TO_PICTURE, INPAINTING = "text2im", "image2image", "inpaint"


@dataclass(frozen=True)
class Holding:
    """A model as it lies on the disk.

    place: its folder or file; family: "sd1", "sdxl", …, or a transformers model_type, "" where it is not known; what:
    its class, in the makers' words. abilities: what it can do. size: pixels a side of its pictures, 0 where it has
    none. parameters: of each component; formats: number format ("F16") -> how many numbers. peak: numbers that are
    alive at once, at most, while a picture of `size` is decoded. missing: what is not there, in words; refused: why it
    is not opened, "" where it is.
    """

    place: Path
    title: str
    source: Source
    kind: Kind
    family: str = ""
    what: str = ""
    abilities: tuple[str, ...] = ()
    size: int = 0
    nbytes: int = 0
    parameters: Mapping[str, int] = field(default_factory=dict)
    formats: Mapping[str, int] = field(default_factory=dict)
    peak: int = 0
    licence: str = ""
    card: str = ""
    """Path of its model card, "" where there is none."""
    revision: str = ""
    missing: tuple[str, ...] = ()
    refused: str = ""
    pickled: bool = False
    """Whether it is refused for weights that are pickles, which can be converted."""
    settings: str = ""
    """The diffusers folder whose small files say how a checkpoint in one file is built; "" where none is here."""

    @property
    def usable(self) -> bool:
        """Whether all of it is here and nothing speaks against opening it."""
        return not self.missing and not self.refused and (self.kind != "checkpoint" or bool(self.settings))

    @property
    def count(self) -> int:
        """All parameters."""
        return sum(self.parameters.values())

    def memory(self, bytes_each: int) -> int:
        """Bytes to run it for one picture with numbers of `bytes_each`: weights and the decoder's largest maps."""
        return bytes_each * (self.count + self.peak)

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {**asdict(self), "place": str(self.place)}

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Holding:
        """Read `to_json()`. Raises ValueError, TypeError, KeyError."""
        if entry["kind"] not in get_args(Kind) or entry["source"] not in get_args(Source):
            raise ValueError("a holding of an unknown kind")
        lists = {name: tuple(map(str, entry[name])) for name in ("abilities", "missing")}
        return cls(**{**entry, **lists, "place": Path(entry["place"])})
