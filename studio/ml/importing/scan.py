"""What checkpoints lie in a folder, and what each can be used for. Names and shapes are read, no numbers.

A `.pt` file is a pickle and is read with `weights_only=True`, which builds tensors and runs nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from safetensors import SafetensorError, safe_open
from torch import Tensor

from studio.ml.clip.tokenizer import FILES, load_clip_tokenizer
from studio.ml.diffusion.bpe import PAIRS, TokenizerCorrupt, load_bpe
from studio.ml.diffusion.checkpoint import is_safetensors, read_layout, read_state
from studio.ml.diffusion.conversion import DTYPES
from studio.ml.diffusion.released import UnknownCheckpoint
from studio.ml.diffusion.weights import CorruptWeights, Shapes, WeightsError, shapes_in
from studio.ml.importing.published import Published, identify

SUFFIXES = (".pt", ".pth", ".safetensors")
MOST_FILES = 400
"""Files looked at; a folder with more is not one of checkpoints."""


@dataclass(frozen=True)
class Vocabulary:
    """The files a network reads text with: `files` where they are, `problem` in words when they are not or are bad."""

    files: tuple[Path, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class Found:
    """A file in the folder. network: None where `problem` says why it cannot be imported.

    nbytes: of the file; formats: its number formats ("float32"); vocabulary: None for a network without text.
    """

    path: Path
    nbytes: int
    network: Published | None = None
    formats: tuple[str, ...] = ()
    vocabulary: Vocabulary | None = None
    problem: str = ""


def candidates(folder: Path) -> list[Path]:
    """Files in the folder and one level below that may be checkpoints, by their endings. Raises OSError.

    Folders that cannot be read, hidden ones and those of this studio's own models are passed over.
    """
    found = _checkpoints(folder)
    for below in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        try:
            found += [] if (below / "config.json").is_file() else _checkpoints(below)
        except PermissionError:
            continue
    return found[:MOST_FILES]


def scan(folder: Path, known: Sequence[Published]) -> Iterator[Found]:
    """Each candidate in turn, read and recognised. Raises OSError where the folder itself cannot be read."""
    vocabularies = Vocabularies(folder)
    for path in candidates(folder):
        yield inspect(path, known, vocabularies)


def inspect(path: Path, known: Sequence[Published], vocabularies: Vocabularies) -> Found:
    """What one file is. Whatever is wrong with it is in `problem`; raises nothing."""
    try:
        nbytes = path.stat().st_size
    except OSError as error:
        return Found(path, 0, problem=f"It cannot be read ({error.strerror}).")
    try:
        shapes, formats = layout(path)
        network = identify(shapes, known)
    except (WeightsError, UnknownCheckpoint) as error:
        return Found(path, nbytes, problem=str(error))
    except OSError as error:
        return Found(path, nbytes, problem=f"It cannot be read ({error.strerror or error}).")
    return Found(path, nbytes, network, formats, vocabularies.of(network, path.parent))


def layout(path: Path) -> tuple[Shapes, tuple[str, ...]]:
    """Names and shapes of the tensors of a file, and their number formats. Raises WeightsError, OSError."""
    if is_safetensors(path):
        return shapes_in([path]), _formats(path)
    state = read_layout(path)
    strange = next((str(value.dtype) for value in state.values() if value.dtype not in DTYPES), "")
    if strange:
        raise CorruptWeights(f"{path.name} holds numbers of the type {strange}, which cannot be stored.")
    formats = sorted({str(value.dtype).removeprefix("torch.") for value in state.values()})
    return {name: tuple(value.shape) for name, value in state.items()}, tuple(formats)


def tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file, mapped from it where its format allows. Raises WeightsError, OSError."""
    if not is_safetensors(path):
        return read_state(path)
    try:
        with safe_open(path, framework="pt", device="cpu") as content:
            return {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise CorruptWeights(f"{path.name} is damaged ({error}). Get it again from where it came.") from error


class _Kind(NamedTuple):
    """whose: it is; choices: file names, any one group of which will do; size: tokens of the files in a folder."""

    whose: str
    choices: tuple[tuple[str, ...], ...]
    size: Callable[[Path], int]


class Vocabularies:
    """The vocabularies in a chosen folder: looked for beside a checkpoint, then in the folder and one level below."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._kinds = {
            "gpt2": _Kind("GPT-2's", PAIRS, lambda place: load_bpe(place).size),
            "clip": _Kind("CLIP's", tuple((file,) for file in FILES), lambda place: load_clip_tokenizer(place).size),
        }
        self._read: dict[tuple[Path, ...], int | str] = {}
        """Number of tokens of files already read, or what is wrong with them."""

    def of(self, network: Published, beside: Path) -> Vocabulary | None:
        """The vocabulary of a network whose file lies in `beside`; None for one without text."""
        if not network.vocabulary:
            return None
        kind = self._kinds[network.vocabulary]
        for folder in self._places(beside):
            for names in kind.choices:
                files = tuple(folder / name for name in names)
                if all(file.is_file() for file in files):
                    return self._checked(files, kind, network.tokens)
        wanted = " or ".join(" and ".join(names) for names in kind.choices)
        return Vocabulary(problem=f"{kind.whose} vocabulary is missing: put {wanted} into {self.folder}.")

    def _checked(self, files: tuple[Path, ...], kind: _Kind, expected: int) -> Vocabulary:
        if files not in self._read:
            try:
                self._read[files] = kind.size(files[0].parent)
            except (TokenizerCorrupt, OSError) as error:
                self._read[files] = str(error)
        found = self._read[files]
        if isinstance(found, str):
            return Vocabulary(files, f"{kind.whose} vocabulary beside it cannot be used: {found}")
        if found != expected:
            return Vocabulary(files, f"{files[0].name} has {found:,} tokens; this network reads {expected:,}.")
        return Vocabulary(files)

    def _places(self, beside: Path) -> list[Path]:
        try:
            below = sorted(path for path in self.folder.iterdir() if path.is_dir())
        except OSError:
            below = []
        return list(dict.fromkeys([beside, self.folder, *below]))


def _checkpoints(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())


def _formats(path: Path) -> tuple[str, ...]:
    """Number formats of a safetensors file, from its header."""
    names = {short: str(dtype).removeprefix("torch.") for dtype, short in DTYPES.items()}
    with safe_open(path, framework="pt", device="cpu") as content:
        found = {content.get_slice(name).get_dtype() for name in content.keys()}  # noqa: SIM118
    return tuple(sorted(names.get(short, short) for short in found))
