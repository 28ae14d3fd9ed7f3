"""What is kept of a run's steps: x_t, x0 and the norms of every step shown, as numpy, and its file `steps.npz`."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from studio.host.pictures import Pixels, to_pixels

SERIES = ("cond", "uncond", "difference", "cosine")
MAX_TRAJECTORY_BYTES = 16 << 20
MAX_FILE_BYTES = 64 << 20


class TrajectoryUnreadable(ValueError):
    """A steps.npz that is damaged or not ours; the picture itself does not depend on it."""


@dataclass(frozen=True, eq=False)
class StepData:
    """One denoising step of a batch of N.

    x_t: float16 [N, H, W, 3], what the network saw. x0: uint8 [N, H, W, 3], the picture it then predicted. `t` is the
    original step, `alpha_bar` the share of signal in x_t. norms: float32 [4, N]: ‖ε(x|y)‖₂, ‖ε(x|∅)‖₂, ‖ε(x|y) −
    ε(x|∅)‖₂ and the cosine between the first two; NaN where a branch was not computed.
    """

    index: int
    total: int
    t: int
    alpha_bar: float
    x_t: NDArray[np.float16]
    x0: Pixels
    norms: NDArray[np.float32]

    @property
    def noisy(self) -> Pixels:
        """x_t as a picture: −r…r as black…white, r = √ᾱ + 2√(1 − ᾱ), the picture's own range where no noise is left."""
        reach = np.float32(np.sqrt(self.alpha_bar) + 2 * np.sqrt(1 - self.alpha_bar))
        return to_pixels(self.x_t.astype(np.float32) / reach)

    def mean_norms(self) -> dict[str, float]:
        """The four numbers, averaged over the batch."""
        return {name: float(value) for name, value in zip(SERIES, self.norms.mean(axis=1), strict=True)}


@dataclass(frozen=True, eq=False)
class Trajectory:
    """The steps kept of one run, first to last. With very many steps or pictures only every k-th is kept."""

    steps: tuple[StepData, ...]

    def to_npz(self) -> bytes:
        """Compressed npz: x_t, x0 [S, N, H, W, 3]; index, t, alpha_bar [S]; norms [S, 4, N]; total."""
        if not self.steps:
            raise ValueError("a run without steps has no trajectory")
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            x_t=np.stack([step.x_t for step in self.steps]),
            x0=np.stack([step.x0 for step in self.steps]),
            norms=np.stack([step.norms for step in self.steps]),
            index=np.array([step.index for step in self.steps]),
            t=np.array([step.t for step in self.steps]),
            alpha_bar=np.array([step.alpha_bar for step in self.steps]),
            total=np.array(self.steps[0].total),
        )
        return buffer.getvalue()

    @classmethod
    def read(cls, path: Path) -> Trajectory:
        """Read a steps.npz. Raises TrajectoryUnreadable for a damaged, foreign or unreasonably large one."""
        try:
            with zipfile.ZipFile(path) as archive:
                if sum(entry.file_size for entry in archive.infolist()) > MAX_FILE_BYTES:
                    limit = MAX_FILE_BYTES >> 20
                    raise TrajectoryUnreadable(f"“{path.name}” holds more than {limit} MiB; it is not a step file")
            with np.load(path, allow_pickle=False) as data:
                arrays = {name: data[name] for name in ("x_t", "x0", "norms", "index", "t", "alpha_bar", "total")}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            if isinstance(error, TrajectoryUnreadable):
                raise
            text = f"The steps of this picture cannot be read ({error}); the picture is whole."
            raise TrajectoryUnreadable(text) from error
        return cls(_steps(arrays, path.name))


def stride(steps: int, values_per_step: int) -> int:
    """Every how many steps one is kept, so that all kept ones, `values_per_step` times 3 bytes each, stay in bounds."""
    return max(1, -(-steps * values_per_step * 3 // MAX_TRAJECTORY_BYTES))


def _steps(arrays: dict[str, NDArray[np.generic]], name: str) -> tuple[StepData, ...]:
    x_t, x0, norms = arrays["x_t"], arrays["x0"], arrays["norms"]
    count = len(x_t) if x_t.ndim == 5 else 0
    whole = (
        count > 0
        and x_t.shape == x0.shape
        and x_t.shape[-1] == 3
        and norms.shape == (count, len(SERIES), x_t.shape[1])
        and all(arrays[key].shape == (count,) for key in ("index", "t", "alpha_bar"))
        and x0.dtype == np.uint8
        and x_t.dtype.kind == norms.dtype.kind == "f"
    )
    if not whole:
        raise TrajectoryUnreadable(f"“{name}” is not a step file of this panel; the picture is whole.")
    return tuple(
        StepData(
            index=int(arrays["index"][i]),
            total=int(arrays["total"]),
            t=int(arrays["t"][i]),
            alpha_bar=float(arrays["alpha_bar"][i]),
            x_t=x_t[i].astype(np.float16),
            x0=x0[i].astype(np.uint8),
            norms=norms[i].astype(np.float32),
        )
        for i in range(count)
    )
