"""What is kept of a run's steps: x_t, x0 and the norms of every step shown, as numpy, and its file `steps.npz`."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from studio.host.pictures import Pixels, to_pixels

StageName = Literal["base", "upsample"]
Arrays = Mapping[str, NDArray[Any]]

SERIES = ("cond", "uncond", "difference", "cosine")
_KEYS = ("x0", "norms", "index", "t", "alpha_bar", "total")
_NOISY = "x_t"
_GUIDANCE_KEYS = ("guided", "term_names", "terms")
_PREFIXES: Mapping[StageName, str] = {"base": "", "upsample": "upsample_"}
MAX_TRAJECTORY_BYTES = 16 << 20
MAX_FILE_BYTES = 64 << 20


class TrajectoryUnreadable(ValueError):
    """A steps.npz that is damaged or not ours; the picture itself does not depend on it."""


class TermData(NamedTuple):
    """What one guidance added to ε: its length, its scale at this step, and what a gradient climbs; float32 [N] each.

    The score is NaN for classifier-free guidance, which climbs nothing.
    """

    norm: NDArray[np.float32]
    scale: NDArray[np.float32]
    score: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class StepData:
    """One denoising step of a batch of N, the index-th of the `total` of its stage.

    x_t: float16 [N, H, W, 3], what the network saw, None where that is not known. x0: uint8 [N, H, W, 3], the picture
    it then predicted. `t` is the original step, `alpha_bar` the share of signal in x_t (NaN: not known). norms: float32
    [4, N]: ‖ε(x|y)‖₂, ‖ε(x|∅)‖₂, ‖ε(x|y) − ε(x|∅)‖₂ and the cosine between the first two; NaN where a branch was not
    computed. guided: ‖ε̂‖₂ [N], None where it was not kept. terms: by the name of the guidance
    (`GuidanceParts.terms`).
    """

    index: int
    total: int
    t: int
    alpha_bar: float
    x_t: NDArray[np.float16] | None
    x0: Pixels
    norms: NDArray[np.float32]
    stage: StageName = "base"
    guided: NDArray[np.float32] | None = None
    terms: Mapping[str, TermData] = field(default_factory=dict)

    @property
    def last(self) -> bool:
        """Whether its stage ends with it."""
        return self.index + 1 == self.total

    @property
    def noisy(self) -> Pixels:
        """x_t as a picture: −r…r as black…white, r = √ᾱ + 2√(1 − ᾱ), the picture's own range where no noise is left.

        Raises ValueError where x_t is not known.
        """
        if self.x_t is None:
            raise ValueError("what the network saw at this step is not known")
        reach = np.float32(np.sqrt(self.alpha_bar) + 2 * np.sqrt(1 - self.alpha_bar))
        return to_pixels(self.x_t.astype(np.float32) / reach)

    def numbers(self, picture: int | None = None) -> dict[str, float]:
        """By name, of one picture or averaged over the batch: SERIES, of each gradient its length and its "… score".

        What was not computed is left out.
        """
        rows = dict(zip(SERIES, self.norms, strict=True))
        for name, term in self.terms.items():
            if not np.isnan(term.score).all():
                rows |= {name: term.norm, f"{name} score": term.score}
        chosen = {name: float(row.mean() if picture is None else row[picture]) for name, row in rows.items()}
        return {name: value for name, value in chosen.items() if value == value}


@dataclass(frozen=True, eq=False)
class Trajectory:
    """The steps kept of one run, first to last. With very many steps or pictures only every k-th is kept."""

    steps: tuple[StepData, ...]

    def to_npz(self) -> bytes:
        """Compressed npz: x_t, x0 [S, N, H, W, 3]; index, t, alpha_bar [S]; norms [S, 4, N]; total.

        Without x_t where that is not known. Where more than classifier-free guidance of one scale acted also guided
        [S, N], term_names [K] and terms [S, K, 3, N] (length, scale, score; NaN where it did not act). A second stage
        has the same names with "upsample_" before them.
        """
        if not self.steps:
            raise ValueError("a run without steps has no trajectory")
        arrays: dict[str, NDArray[Any]] = {}
        for stage, prefix in _PREFIXES.items():
            steps = [step for step in self.steps if step.stage == stage]
            if steps:
                arrays |= {prefix + name: value for name, value in (_pictures(steps) | _guidance(steps)).items()}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]  # numpy's stub takes them for its own options
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
                steps = _steps(data, path.name, "base")
                if any(name.startswith(_PREFIXES["upsample"]) for name in data.files):
                    steps += _steps(data, path.name, "upsample")
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            if isinstance(error, TrajectoryUnreadable):
                raise
            text = f"The steps of this picture cannot be read ({error}); the picture is whole."
            raise TrajectoryUnreadable(text) from error
        return cls(steps)


def stride(steps: int, values_per_step: int) -> int:
    """Every how many steps one is kept, so that all kept ones, `values_per_step` times 3 bytes each, stay in bounds."""
    return max(1, -(-steps * values_per_step * 3 // MAX_TRAJECTORY_BYTES))


def is_kept(step: StepData) -> bool:
    """Whether a step is one of its stage's `kept_positions`."""
    return step.last or step.index % stride(step.total, step.x0.size) == 0


def kept_positions(total: int, values_per_step: int) -> list[int]:
    """Which steps of a stage are kept: every k-th, and the last."""
    return sorted({*range(0, total, stride(total, values_per_step)), total - 1})


def _pictures(steps: Sequence[StepData]) -> dict[str, NDArray[Any]]:
    """The arrays every stage has; x_t where it is known."""
    noisy = [step.x_t for step in steps if step.x_t is not None]
    return ({_NOISY: np.stack(noisy)} if noisy else {}) | {
        "x0": np.stack([step.x0 for step in steps]),
        "norms": np.stack([step.norms for step in steps]),
        "index": np.array([step.index for step in steps]),
        "t": np.array([step.t for step in steps]),
        "alpha_bar": np.array([step.alpha_bar for step in steps]),
        "total": np.array(steps[0].total),
    }


def _guidance(steps: Sequence[StepData]) -> dict[str, NDArray[Any]]:
    """The arrays of guidance; none where the norms and the one scale of classifier-free guidance say everything."""
    names = list(dict.fromkeys(name for step in steps for name in step.terms))
    scales = {float(term.scale[0]) for step in steps for term in step.terms.values()}
    silent = [step for step in steps if not step.terms]
    if not names or names == ["classifier-free"] and len(scales) == 1 and not silent:
        return {}
    terms = np.full((len(steps), len(names), len(TermData._fields), steps[0].norms.shape[1]), np.nan, np.float32)
    for s, step in enumerate(steps):
        for name, term in step.terms.items():
            terms[s, names.index(name)] = np.stack(term)
    guided = [step.guided if step.guided is not None else np.full(terms.shape[-1], np.nan) for step in steps]
    return {"guided": np.stack(guided).astype(np.float32), "term_names": np.array(names), "terms": terms}


def _steps(data: Any, name: str, stage: StageName) -> tuple[StepData, ...]:
    prefix = _PREFIXES[stage]
    arrays = {key: data[prefix + key] for key in _KEYS}
    x0, norms = arrays["x0"], arrays["norms"]
    x_t = data[prefix + _NOISY] if prefix + _NOISY in data.files else None
    count = len(x0) if x0.ndim == 5 else 0
    whole = (
        count > 0
        and (x_t is None or (x_t.shape == x0.shape and x_t.dtype.kind == "f"))
        and x0.shape[-1] == 3
        and norms.shape == (count, len(SERIES), x0.shape[1])
        and all(arrays[key].shape == (count,) for key in ("index", "t", "alpha_bar"))
        and x0.dtype == np.uint8
        and norms.dtype.kind == "f"
    )
    guidance = {key: data[prefix + key] for key in _GUIDANCE_KEYS if prefix + key in data.files}
    if not whole or (guidance and not _is_guidance(guidance, count, x0.shape[1])):
        raise TrajectoryUnreadable(f"“{name}” is not a step file of this panel; the picture is whole.")
    return tuple(
        StepData(
            index=int(arrays["index"][i]),
            total=int(arrays["total"]),
            t=int(arrays["t"][i]),
            alpha_bar=float(arrays["alpha_bar"][i]),
            x_t=None if x_t is None else x_t[i].astype(np.float16),
            x0=x0[i].astype(np.uint8),
            norms=norms[i].astype(np.float32),
            stage=stage,
            guided=guidance["guided"][i].astype(np.float32) if guidance else None,
            terms=_terms(guidance, i) if guidance else {},
        )
        for i in range(count)
    )


def _is_guidance(arrays: Arrays, count: int, batch: int) -> bool:
    if set(arrays) != set(_GUIDANCE_KEYS) or arrays["term_names"].dtype.kind != "U":
        return False
    shape = (count, len(arrays["term_names"]), len(TermData._fields), batch)
    kinds = arrays["terms"].dtype.kind + arrays["guided"].dtype.kind
    return arrays["terms"].shape == shape and arrays["guided"].shape == (count, batch) and kinds == "ff"


def _terms(arrays: Arrays, step: int) -> dict[str, TermData]:
    """The terms that acted at a step."""
    rows = zip(arrays["term_names"], arrays["terms"][step].astype(np.float32), strict=True)
    return {str(name): TermData(*row) for name, row in rows if not np.isnan(row[0]).all()}
