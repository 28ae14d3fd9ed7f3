"""What is kept of a comparison's steps, as numpy, and its file `steps.npz`."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio.host.pictures import Pixels, to_pixels

TERMS = ("classifier-free", "classifier", "clip", "clip-x0")
SCORES = ("clip", "clip-clean", "classifier", "oracle")
"""CLIP's cosine at x_t; that of the clean CLIP (t = 0) at x0; p(y | x_t); the oracle's sureness of what was asked."""
MAX_FILE_BYTES = 512 << 20
Floats = NDArray[np.float32]
_STACKED = ("x_t", "x0", "heat", "gram", "scales", "scores", "index", "t", "alpha_bar", "evaluations")


class StepsUnreadable(ValueError):
    """A steps.npz that is damaged or not ours; the pictures themselves do not depend on it."""


@dataclass(frozen=True, eq=False)
class Step:
    """One denoising step of one column, N pictures.

    x_t, x, x0: float32 [N, H, W, 3]: what the network saw, what the step made of it, and the predicted picture; x and
    x0 are exact, so that a fork goes on bit for bit. heat: float16 [4, N, H, W], ‖term‖ over the channels of each kind
    of guidance in TERMS, 0 where it does not act. gram: float32 [5, 5, N], inner products of the base prediction and
    the four terms. scales: [4], the guidance scales in use. scores: [4, N], see SCORES, NaN where nobody looked.
    evaluations: of the denoiser, per picture; seconds: of drawing, scores not included.
    """

    index: int
    total: int
    t: int
    alpha_bar: float
    x_t: Floats
    x: Floats
    x0: Floats
    heat: NDArray[np.float16]
    gram: Floats
    scales: Floats
    scores: Floats
    evaluations: int
    seconds: float

    @property
    def noisy(self) -> Pixels:
        """x_t as a picture: −r…r as black…white, r = √ᾱ + 2√(1 − ᾱ), the picture's own range where no noise is left."""
        reach = np.float32(np.sqrt(self.alpha_bar) + 2 * np.sqrt(1 - self.alpha_bar))
        return to_pixels(self.x_t / reach)

    @property
    def picture(self) -> Pixels:
        """x0 as a picture."""
        return to_pixels(self.x0)

    @cached_property
    def reach(self) -> NDArray[np.float64]:
        """[4]: the longest ‖term‖ of a pixel of each kind, but for the longest 0.5 %."""
        flat = self.heat.reshape(len(self.heat), -1).astype(np.float64)
        longest: NDArray[np.float64] = np.percentile(flat, 99.5, axis=1)
        return longest

    def norms(self) -> NDArray[np.float64]:
        """[5, N]: ‖base‖₂ and ‖term‖₂ of the four kinds."""
        lengths: NDArray[np.float64] = np.sqrt(np.maximum(np.einsum("iin->in", self.gram.astype(np.float64)), 0))
        return lengths

    def cosine(self, first: str, second: str) -> NDArray[np.float64]:
        """[N]: cosine of the angle between two terms; NaN where one of them does not act."""
        i, j = 1 + TERMS.index(first), 1 + TERMS.index(second)
        norms = self.norms()
        with np.errstate(invalid="ignore", divide="ignore"):
            cosine: NDArray[np.float64] = self.gram[i, j].astype(np.float64) / (norms[i] * norms[j])
        return cosine

    def guided_norm(self) -> NDArray[np.float64]:
        """[N]: ‖base + all terms‖₂."""
        length: NDArray[np.float64] = np.sqrt(np.maximum(self.gram.astype(np.float64).sum(axis=(0, 1)), 0))
        return length

    @property
    def acting(self) -> tuple[str, ...]:
        """The kinds of guidance that did something at this step."""
        return tuple(name for name, norm in zip(TERMS, self.norms()[1:], strict=True) if norm.max() > 0)


Steps = tuple[Step, ...]


def to_npz(columns: Sequence[Steps], *, exact: bool = True) -> bytes:
    """All columns' steps as one compressed npz; a column may have none. Not `exact`: to look at, in float16.

    Everything but the seconds: what is in the file is the same whenever the same is drawn.
    """
    arrays: dict[str, Any] = {"columns": np.array(len(columns))}
    for c, steps in enumerate(columns):
        arrays[f"{c}.total"] = np.array(steps[0].total if steps else 0)
        if not steps:
            continue
        for name in _STACKED:
            arrays[f"{c}.{name}"] = np.stack([np.asarray(getattr(step, name)) for step in steps])
        arrays[f"{c}.x"] = steps[-1].x  # that of every other step is the next one's x_t
        if not exact:
            arrays |= {f"{c}.{name}": arrays[f"{c}.{name}"].astype(np.float16) for name in ("x_t", "x0", "x")}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def read(path: Path) -> tuple[Steps, ...]:
    """Every column's steps, their seconds 0. Raises StepsUnreadable for a damaged, foreign or far too large file."""
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MAX_FILE_BYTES:
                limit = MAX_FILE_BYTES >> 20
                raise StepsUnreadable(f"“{path.name}” holds more than {limit} MiB; it is not a step file.")
        with np.load(path, allow_pickle=False) as data:
            count = int(data["columns"])
            return tuple(_column(data, c) if int(data[f"{c}.total"]) else () for c in range(count))
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        if isinstance(error, StepsUnreadable):
            raise
        text = f"The steps of this comparison cannot be read ({error}); its pictures are whole."
        raise StepsUnreadable(text) from error


def _column(data: Any, c: int) -> Steps:
    arrays: dict[str, NDArray[Any]] = {name: data[f"{c}.{name}"] for name in (*_STACKED, "x", "total")}
    x_t, count = arrays["x_t"], len(arrays["index"])
    pictures, size = x_t.shape[1], x_t.shape[2:4]
    wanted = {
        "x_t": (count, pictures, *size, 3), "x0": x_t.shape, "x": x_t.shape[1:], "heat": (count, 4, pictures, *size),
        "gram": (count, 5, 5, pictures), "scales": (count, 4), "scores": (count, len(SCORES), pictures),
    }  # fmt: skip
    if not count or any(arrays[name].shape != shape for name, shape in wanted.items()):
        raise StepsUnreadable("This is not a step file of the Guidance lab.")
    after = [*x_t[1:], arrays["x"]]
    return tuple(
        Step(
            index=int(arrays["index"][i]),
            total=int(arrays["total"]),
            t=int(arrays["t"][i]),
            alpha_bar=float(arrays["alpha_bar"][i]),
            x_t=np.asarray(x_t[i], np.float32),
            x=np.asarray(after[i], np.float32),
            x0=np.asarray(arrays["x0"][i], np.float32),
            heat=np.asarray(arrays["heat"][i], np.float16),
            gram=np.asarray(arrays["gram"][i], np.float32),
            scales=np.asarray(arrays["scales"][i], np.float32),
            scores=np.asarray(arrays["scores"][i], np.float32),
            evaluations=int(arrays["evaluations"][i]),
            seconds=0.0,
        )
        for i in range(count)
    )
