"""A model in one safetensors file, in the names of its authors' own code (Stable Diffusion's, SDXL's, SD 3's, Flux's).

Such a file holds weights alone. How the networks are built and how text is cut into tokens comes from a diffusers
folder of the same family, of which only the small files are needed. Without one the file cannot be opened.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from studio.ml.diffusion.external.errors import ExternalError, PickleRefused
from studio.ml.diffusion.external.folder import PICKLES, Folder, is_pipeline, read_settings
from studio.ml.diffusion.external.headers import Header, Shapes, read_header

FIRST_CONVOLUTION = "model.diffusion_model.input_blocks.0.0.weight"
KINDS = (
    ("joint_blocks.0.context_block.adaLN_modulation.1.bias", "StableDiffusion3"),
    ("double_blocks.0.img_attn.norm.key_norm.scale", "Flux"),
    ("conditioner.embedders.0", "StableDiffusionXL"),
    ("model.diffusion_model.input_blocks.0.0.weight", "StableDiffusion"),
)
"""Part of a tensor's name that tells what the file is -> beginning of the pipeline's class; the first found counts."""
TEXT_READERS = ("cond_stage_model.", "conditioner.", "text_encoders.")
PICTURE_CODERS = ("first_stage_model.", "vae.")


@dataclass(frozen=True)
class SingleFile:
    """A file with the folder of its family.

    borrowed: components that the file lacks and the folder has with their weights ("text_encoder", "vae").
    """

    file: Path
    header: Header
    settings: Folder
    borrowed: tuple[str, ...]

    @property
    def class_name(self) -> str:
        return self.settings.class_name


def is_single_file(place: Path) -> bool:
    """Whether it is a file rather than a folder, whatever is in it."""
    return place.is_file()


def read_single_file(file: Path, settings: Path | None) -> SingleFile:
    """Recognise the file. Raises ExternalError, PickleRefused."""
    header = _header(file)
    kind = kind_of(header.shapes)
    if not kind:
        raise ExternalError(
            f"{file.name} is no whole model of a known kind. If it is an adapter, add it as a LoRA file to the model "
            "it was made for."
        )
    if settings is None:
        raise ExternalError(
            f"{file.name} holds weights alone. Put a diffusers folder of the same family ({kind}) beside it: of that "
            "only the small files (settings and vocabulary) are needed."
        )
    folder = read_settings(settings)
    if not _fits(header.shapes, folder):
        raise ExternalError(
            f"{settings.name} is a folder of another family or width than {file.name} ({kind}). Choose another."
        )
    return SingleFile(file, header, folder, tuple(_lacking(header.shapes, folder)))


def find_settings(file: Path) -> Path | None:
    """The diffusers folder whose settings fit the file: the one of its name, others beside it, the local cache."""
    try:
        shapes = _header(file).shapes
    except ExternalError:
        return None  # `read_single_file` says what is wrong with it
    for place in _places(file):
        try:
            if is_pipeline(place) and _fits(shapes, read_settings(place)):
                return place
        except ExternalError:
            continue  # a damaged folder that nobody asked for
    return None


def kind_of(shapes: Shapes) -> str:
    """Beginning of the class of the pipeline that a file belongs to; "" for none known."""
    return next((kind for part, kind in KINDS if any(part in name for name in shapes)), "")


def _places(file: Path) -> Iterator[Path]:
    yield file.with_suffix("")
    yield from sorted(path for path in file.parent.iterdir() if path.is_dir())
    from huggingface_hub import constants

    yield from sorted(Path(constants.HF_HUB_CACHE).glob("models--*/snapshots/*"))


def _header(file: Path) -> Header:
    if file.suffix.lower() in PICKLES:
        raise PickleRefused(
            f"{file.name} is a pickle, which can run any code while it is read, and is refused. "
            "Convert it to safetensors first, which builds tensors and runs nothing else."
        )
    return read_header(file)


def _fits(shapes: Shapes, folder: Folder) -> bool:
    """Whether a folder is of the file's kind, and its network as wide as the one in the file."""
    kind = kind_of(shapes)
    rest = folder.class_name.removeprefix(kind)
    if not kind or rest == folder.class_name or rest[:1] in {"X", "3"}:  # StableDiffusion, not XL nor 3
        return False
    unet = folder.config("unet")
    if not unet:
        return True
    width = next((shape[-1] for name, shape in shapes.items() if name.endswith("attn2.to_k.weight")), None)
    channels = shapes.get(FIRST_CONVOLUTION, (0, 0))[1]
    return unet.get("cross_attention_dim") == width and unet.get("in_channels") == channels


def _lacking(shapes: Shapes, folder: Folder) -> Iterator[str]:
    """Components with weights that are not in the file."""
    for part in folder.components:
        if part.name != "vae" and not part.name.startswith("text_encoder"):
            continue
        prefixes = PICTURE_CODERS if part.name == "vae" else TEXT_READERS
        if not any(name.startswith(prefixes) for name in shapes):
            yield part.name
