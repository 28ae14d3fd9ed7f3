"""The export service: which formats a kind has here, and writing in the one that the suffix names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.host.atomic import write_text
from studio.host.export.animation import ffmpeg, write_gif, write_mp4
from studio.host.export.kinds import ExportError, ExportKind, Exportable, Picture
from studio.host.export.plots import plot_table, write_plot_pdf, write_plot_png, write_plot_svg
from studio.host.export.tables import as_table, parquet_available, write_csv, write_parquet
from studio.host.imagemeta import write_image
from studio.host.settings import Export, Settings


@dataclass(frozen=True)
class Format:
    """A file format: its suffixes (the first one is written), a name for the dialog, and why it is missing here."""

    suffixes: tuple[str, ...]
    label: str
    missing: str = ""

    @property
    def available(self) -> bool:
        """Whether it can be written on this machine."""
        return not self.missing

    @property
    def filter(self) -> str:
        """The line of a file dialog: "PNG picture (*.png)"."""
        return f"{self.label} ({' '.join('*' + suffix for suffix in self.suffixes)})"


class ExportService:
    """Writes what panels export. `settings` gives the current settings (picture quality, metadata or not)."""

    def __init__(self, settings: Callable[[], Settings] | None = None) -> None:
        self._settings = settings

    @property
    def _options(self) -> Export:
        return self._settings().export if self._settings else Export()

    def formats(self, kind: ExportKind) -> list[Format]:
        """The formats of a kind, the preferred one first; those that cannot be written here say why in `missing`."""
        csv = Format((".csv",), "CSV table")
        match kind:
            case "image":
                pictures = {
                    "png": Format((".png",), "PNG picture"),
                    "webp": Format((".webp",), "WebP picture"),
                    "jpeg": Format((".jpg", ".jpeg"), "JPEG picture"),
                }
                preferred = pictures.pop(self._options.image_format)
                return [preferred, *pictures.values()]
            case "plot":
                return [
                    Format((".png",), "PNG picture"), Format((".svg",), "SVG drawing"), Format((".pdf",), "PDF page"),
                    csv,
                ]  # fmt: skip
            case "animation":
                missing = "" if ffmpeg() else "the program ffmpeg is not installed"
                return [Format((".gif",), "GIF animation"), Format((".mp4",), "MP4 video", missing)]
            case "table":
                missing = "" if parquet_available() else "the package pyarrow is not installed"
                return [csv, Format((".parquet",), "Parquet table", missing)]
            case "script":
                return [Format((".py",), "Python script")]
            case "json":
                return [Format((".json",), "JSON")]
        raise ExportError(f"“{kind}” is no kind of export.")

    def filters(self, kind: ExportKind) -> str:
        """The filter text for a save dialog: the formats that can be written here."""
        return ";;".join(format.filter for format in self.formats(kind) if format.available)

    def suggest_name(self, exportable: Exportable) -> str:
        """A file name for the dialog, with the preferred suffix."""
        stem = "".join(c if c.isalnum() or c in "-_ " else " " for c in exportable.name)
        return ("-".join(stem.split())[:60] or "export") + self.formats(exportable.kind)[0].suffixes[0]

    def save(self, exportable: Exportable, path: str | Path) -> Path:
        """Produce and write it in the format of the suffix (the preferred one is added when there is none), atomically.

        Returns the path written. Raises ExportError and FileUnwritable; an existing file then stays as it was.
        """
        target = Path(path)
        formats = self.formats(exportable.kind)
        if not target.suffix:
            target = target.with_name(target.name + formats[0].suffixes[0])
        suffix = target.suffix.lower()
        chosen = next((format for format in formats if suffix in format.suffixes), None)
        if chosen is None:
            offered = ", ".join(s for format in formats for s in format.suffixes)
            raise ExportError(f"“{exportable.name}” cannot be saved as {suffix}. Use one of {offered}.")
        if chosen.missing:
            raise ExportError(f"{chosen.label} cannot be written: {chosen.missing}. Use {formats[0].suffixes[0]}.")
        self._write(exportable.kind, exportable.produce(), target, suffix)
        return target

    def _write(self, kind: ExportKind, data: Any, target: Path, suffix: str) -> None:
        match kind:
            case "image":
                self._picture(data, target)
            case "plot":
                writers: dict[str, Callable[[Any, Path], None]] = {
                    ".png": write_plot_png, ".svg": write_plot_svg, ".pdf": write_plot_pdf,
                    ".csv": lambda plot, path: write_csv(plot_table(plot), path),
                }  # fmt: skip
                writers[suffix](data, target)
            case "animation":
                (write_gif if suffix == ".gif" else write_mp4)(data, target)
            case "table":
                (write_csv if suffix == ".csv" else write_parquet)(as_table(data), target)
            case "script":
                write_script(data, target)
            case "json":
                write_text(target, data if data.endswith("\n") else data + "\n")

    def _picture(self, data: Any, target: Path) -> None:
        picture = data if isinstance(data, Picture) else Picture(data)
        if picture.pixels is None:
            raise ExportError("There is no picture yet. Make one first, then export.")
        options = self._options
        keep = options.embed_metadata
        try:
            write_image(
                picture.pixels, target, picture.glassbox if keep else None, picture.parameters if keep else "",
                quality=options.jpeg_quality,
            )  # fmt: skip
        except ValueError as error:
            raise ExportError(str(error)) from error


def write_script(text: Any, path: Path) -> None:
    """Write a Python script atomically, checked to be one. Raises ExportError, FileUnwritable."""
    if not isinstance(text, str) or not text.strip():
        raise ExportError("There is no script to save yet.")
    try:
        compile(text, path.name, "exec")
    except (SyntaxError, ValueError) as error:
        raise ExportError(f"The script made here is not valid Python ({error}). Please report this.") from error
    write_text(path, text if text.endswith("\n") else text + "\n")
