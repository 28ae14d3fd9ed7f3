"""Exports: what is written can be read by other programs, and what cannot be written says what to do."""

from __future__ import annotations

import csv
import io
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from studio.host.atomic import FileUnwritable
from studio.host.export import Animation, Exportable, ExportError, ExportService, Picture, Table
from studio.host.export import animation as animation_module
from studio.host.export import tables
from studio.host.imagemeta import envelope, format_parameters, read_metadata
from studio.host.settings import Export, Settings

PIXELS = np.arange(8 * 10 * 3, dtype=np.uint8).reshape(8, 10, 3)
OURS = envelope("generate", {"prompt": "a cat", "seed": 1})


@pytest.fixture
def service() -> ExportService:
    return ExportService()


def item(kind: Any, data: Any, name: str = "My thing: 1/2") -> Exportable:
    return Exportable(name, kind, lambda: data)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".jpg", ".jpeg", ".PNG"])
def test_pictures_carry_their_settings(service: ExportService, tmp_path: Path, suffix: str) -> None:
    text = format_parameters("a cat", steps=1, seed=1, guidance_scale=1)
    path = service.save(item("image", Picture(PIXELS, OURS, text)), tmp_path / f"a{suffix}")
    assert read_metadata(path).request == OURS["request"]
    private = ExportService(lambda: Settings(export=Export(embed_metadata=False, jpeg_quality=50)))
    private.save(item("image", Picture(PIXELS, OURS, text)), path)
    assert read_metadata(path).texts == {}


def test_names_formats_and_filters(service: ExportService, tmp_path: Path) -> None:
    assert service.suggest_name(item("image", None)) == "My-thing-1-2.png"
    assert service.suggest_name(item("table", None, "☃")) == "export.csv"
    webp = ExportService(lambda: Settings(export=Export(image_format="webp")))
    assert webp.suggest_name(item("image", None)).endswith(".webp")
    assert webp.filters("image").startswith("WebP picture (*.webp);;PNG picture (*.png)")
    assert service.save(item("image", PIXELS), tmp_path / "no suffix").name == "no suffix.png"
    kinds: list[Any] = ["image", "plot", "animation", "table", "script"]
    for kind in kinds:
        assert service.filters(kind) and service.formats(kind)[0].available
    with pytest.raises(ExportError, match="cannot be saved as .bmp. Use one of .png"):
        service.save(item("image", PIXELS), tmp_path / "a.bmp")


@pytest.mark.parametrize(
    ("kind", "data", "name", "words"),
    [
        ("image", None, "a.png", "no picture yet"),
        ("image", np.zeros((2, 2)), "a.png", "uint8"),
        ("image", Picture(PIXELS, None, "x" * 40_000), "a.jpg", "Save as PNG"),
        ("animation", np.zeros((0, 4, 4, 3), np.uint8), "a.gif", "no frames"),
        ("animation", [np.zeros((2, 2, 3), np.uint8), np.zeros((3, 3, 3), np.uint8)], "a.gif", "different sizes"),
        ("animation", Animation(PIXELS[None], fps=0), "a.gif", "between 0.1 and 240"),
        ("table", {"a": [1], "b": [1, 2]}, "a.csv", "different lengths"),
        ("table", np.zeros((2, 2, 2)), "a.csv", "one or two dimensions"),
        ("script", "", "a.py", "no script"),
        ("script", "def (", "a.py", "not valid Python"),
    ],
)
def test_what_cannot_be_exported(
    service: ExportService, tmp_path: Path, kind: Any, data: Any, name: str, words: str
) -> None:
    (tmp_path / name).write_text("before")
    with pytest.raises(ExportError, match=words):
        service.save(item(kind, data), tmp_path / name)
    assert (tmp_path / name).read_text() == "before" and len(list(tmp_path.iterdir())) == 1


def test_a_place_that_cannot_be_written(service: ExportService, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cases: list[Any] = [("image", PIXELS, "a.png"), ("animation", PIXELS[None], "a.gif"), ("table", [1], "a.csv")]
    for kind, data, name in cases:
        with pytest.raises(FileUnwritable, match="could not be written"):
            service.save(item(kind, data), tmp_path / "file" / name)


def test_tables(service: ExportService, tmp_path: Path) -> None:
    single = np.array([0.1, 2], np.float32)
    data = {"name": ['a "b", c', "ü\n"], "x": np.array([0.1, 1e-30]), "n": [1, None], "f": single}
    path = service.save(item("table", data), tmp_path / "t.csv")
    rows = list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8"), newline="")))
    assert rows == [["name", "x", "n", "f"], ['a "b", c', "0.1", "1", "0.1"], ["ü\n", "1e-30", "", "2.0"]]
    service.save(item("table", np.eye(2)), path)
    assert path.read_text().split() == ["0,1", "1.0,0.0", "0.0,1.0"]
    assert tables.csv_text(Table()) == "\r\n" and Table().rows == 0 and Table({"a": [1, 2]}).rows == 2


def test_parquet_where_it_is_missing_and_where_it_is_not(
    service: ExportService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables.importlib.util, "find_spec", lambda name: None)
    assert "Parquet" not in service.filters("table") and not service.formats("table")[1].available
    with pytest.raises(ExportError, match="pyarrow is not installed. Use .csv"):
        service.save(item("table", {"a": [1]}), tmp_path / "t.parquet")
    with pytest.raises(ExportError, match="pip install pyarrow"):
        tables.write_parquet(Table({"a": [1]}), tmp_path / "t.parquet")

    class Arrow:
        """Stands in for pyarrow, which the studio does not require."""

        ArrowException = ArithmeticError

        @staticmethod
        def array(values: list[Any]) -> list[Any]:
            if len({type(value) for value in values}) > 1:
                raise ArithmeticError("mixed")
            return values

        @staticmethod
        def table(columns: dict[str, Any]) -> dict[str, Any]:
            return columns

        @staticmethod
        def write_table(table: dict[str, Any], path: str) -> None:
            Path(path).write_text(repr(table))

    monkeypatch.setattr(tables.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(tables.importlib, "import_module", lambda name: Arrow)
    path = service.save(item("table", {"a": [1, 2]}), tmp_path / "t.parquet")
    assert path.read_text() == "{'a': [1, 2]}"
    with pytest.raises(ExportError, match="Save as CSV"):
        service.save(item("table", {"a": [1, "x"]}), path)


def test_gif(service: ExportService, tmp_path: Path) -> None:
    frames = np.zeros((5, 8, 12, 3), np.uint8)
    for number in range(5):
        frames[number, :, number * 2 : number * 2 + 3] = (255, 40 * number, 0)
    path = service.save(item("animation", Animation(frames, fps=10, hold=1)), tmp_path / "a.gif")
    with Image.open(path) as gif:
        assert gif.n_frames == 5 and gif.size == (12, 8) and gif.info["loop"] == 0  # type: ignore[attr-defined]
        durations = []
        for number in range(5):
            gif.seek(number)
            durations.append(gif.info["duration"])
            shown = np.asarray(gif.convert("RGB")).astype(int)
            assert np.abs(shown - frames[number]).max() < 40
    assert durations == [100, 100, 100, 100, 1100]
    fast = service.save(item("animation", Animation(np.repeat(frames, 24, axis=0), fps=120)), tmp_path / "b.gif")
    with Image.open(fast) as gif:
        gif.seek(1)
        assert gif.info["duration"] >= 20
    service.save(item("animation", frames[..., 0]), tmp_path / "grey.gif")


def test_mp4(service: ExportService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = np.zeros((3, 7, 9, 3), np.uint8)
    monkeypatch.setattr(animation_module.shutil, "which", lambda name: None)
    assert "MP4" not in service.filters("animation")
    with pytest.raises(ExportError, match="ffmpeg is not installed. Use .gif"):
        service.save(item("animation", frames), tmp_path / "a.mp4")
    with pytest.raises(ExportError, match="save as GIF"):
        animation_module.write_mp4(frames, tmp_path / "a.mp4")

    # A stand-in program: it copies what it is fed to its last argument, or fails when asked to.
    program = tmp_path / "ffmpeg"
    program.write_text(
        '#!/bin/sh\nfor last; do :; done\ncase "$*" in *"-r 99 "*) echo no codec >&2; exit 1;; esac\ncat > "$last"\n'
    )
    program.chmod(0o755)
    monkeypatch.setattr(animation_module.shutil, "which", lambda name: str(program))
    path = service.save(item("animation", Animation(frames, fps=12, hold=0.5)), tmp_path / "a.mp4")
    assert path.stat().st_size == (3 + 6) * 7 * 9 * 3
    with pytest.raises(ExportError, match="no codec. Save as GIF"):
        service.save(item("animation", Animation(frames, fps=99)), path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4", "ffmpeg"]


@pytest.mark.skipif(animation_module.ffmpeg() is None, reason="ffmpeg is not installed")
@pytest.mark.parametrize("size", [(64, 64), (45, 71), (300, 400), (1, 1)])
def test_mp4_plays_back_what_was_written(service: ExportService, tmp_path: Path, size: tuple[int, int]) -> None:
    """Decoded by the same program: as many pictures, small ones enlarged, sides even, colours within what H.264 loses."""
    height, width = size
    colours = np.array([[200, 40, 40], [40, 160, 60], [50, 60, 200], [120, 120, 120]], np.uint8)
    frames = np.broadcast_to(colours[:, None, None], (4, height, width, 3)).copy()
    path = service.save(item("animation", Animation(frames, fps=12, hold=0.25)), tmp_path / "a.mp4")
    command = [str(animation_module.ffmpeg()), "-v", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    played = subprocess.run(command, capture_output=True, check=True).stdout
    zoom = max(1, 256 // max(size))
    high, wide = (side * zoom + side * zoom % 2 for side in size)
    shown = np.frombuffer(played, np.uint8).reshape(-1, high, wide, 3)
    assert len(shown) == 4 + 3
    expected = colours[[0, 1, 2, 3, 3, 3, 3], None, None].astype(int)
    assert np.abs(shown[:, : height * zoom, : width * zoom] - expected).mean() < 4


def test_script(service: ExportService, tmp_path: Path) -> None:
    path = service.save(item("script", "print('ü')"), tmp_path / "run")
    assert path.name == "run.py" and path.read_text("utf-8") == "print('ü')\n"


def plot_widget(qtbot: Any) -> Any:
    import pyqtgraph as pg

    widget = pg.PlotWidget(background="w")
    qtbot.addWidget(widget)
    widget.resize(400, 300)
    widget.plot([1, 2, 3], [3.0, 1.0, 2.0], name="loss", pen="r")
    widget.plot([1, 2], [1.0, 2.0])
    widget.plot([9], [9], name="hidden").setVisible(False)
    widget.show()
    qtbot.waitExposed(widget)
    return widget


def test_plots_in_every_format(service: ExportService, tmp_path: Path, qtbot: Any) -> None:
    widget = plot_widget(qtbot)
    png = service.save(item("plot", widget), tmp_path / "p.png")
    with Image.open(png) as image:
        assert image.size == (800, 600)
        pixels = np.asarray(image.convert("RGB")).astype(int)
    red = (pixels[..., 0] > 150) & (pixels[..., 1] < 120)
    assert red.sum() > 300 and (pixels == 255).all(axis=2).mean() > 0.8
    svg = service.save(item("plot", widget.getPlotItem()), tmp_path / "p.svg").read_text("utf-8")
    assert svg.startswith("<?xml") and "</svg>" in svg and ">1.5<" in svg.replace(" ", "").replace("\n", "")
    pdf = service.save(item("plot", widget), tmp_path / "p.pdf").read_bytes()
    assert pdf.startswith(b"%PDF") and b"%%EOF" in pdf[-20:] and len(pdf) > 2000
    rows = service.save(item("plot", widget), tmp_path / "p.csv").read_text().splitlines()
    assert rows == ["loss x,loss y,curve 2 x,curve 2 y", "1,3.0,1,1.0", "2,1.0,2,2.0", "3,2.0,,"]


def test_the_axes_of_vector_plots_line_up(service: ExportService, tmp_path: Path, qtbot: Any) -> None:
    """pyqtgraph keeps axes as QPicture, which Qt scales by the resolution of the device it is played on."""
    from PySide6.QtCore import Qt
    from PySide6.QtGui import QImage, QPainter
    from PySide6.QtSvg import QSvgRenderer

    widget = plot_widget(qtbot)
    service.save(item("plot", widget), tmp_path / "p.svg")
    image = QImage(400, 300, QImage.Format.Format_RGB888)
    image.fill(Qt.GlobalColor.white)
    painter = QPainter(image)
    QSvgRenderer(str(tmp_path / "p.svg")).render(painter)
    painter.end()
    assert image.save(str(tmp_path / "svg.png"))
    service.save(item("plot", widget), tmp_path / "p.png")

    def ink_box(path: Path) -> Any:
        with Image.open(path) as picture:
            small = np.asarray(picture.convert("L").resize((400, 300)))
        ys, xs = np.nonzero(small < 190)
        return np.array([xs.min(), xs.max(), ys.min(), ys.max()])

    assert np.abs(ink_box(tmp_path / "svg.png") - ink_box(tmp_path / "p.png")).max() <= 6


def test_axes_that_the_screen_keeps_as_pixels_are_lines_in_a_file(service: ExportService, tmp_path: Path, qtbot: Any) -> None:
    import pyqtgraph as pg
    from PySide6.QtWidgets import QGraphicsItem

    from studio.ui.plot_axis import PlotAxis

    widget = pg.PlotWidget(axisItems={"bottom": PlotAxis("bottom"), "left": PlotAxis("left")})
    qtbot.addWidget(widget)
    widget.resize(320, 240)
    widget.plot([0.0, 1.0], [0.0, 1.0])
    widget.show()
    qtbot.waitExposed(widget)
    axis = widget.getPlotItem().getAxis("bottom")
    assert axis.cacheMode() == QGraphicsItem.CacheMode.DeviceCoordinateCache
    svg = service.save(item("plot", widget), tmp_path / "kept.svg").read_text("utf-8")
    assert "<image" not in svg and "<text" in svg
    assert axis.cacheMode() == QGraphicsItem.CacheMode.DeviceCoordinateCache


def test_plots_that_hold_nothing(service: ExportService, tmp_path: Path, qtbot: Any) -> None:
    import pyqtgraph as pg

    widget = pg.PlotWidget()
    qtbot.addWidget(widget)
    with pytest.raises(ExportError, match="no curves"):
        service.save(item("plot", widget), tmp_path / "p.csv")
    for nothing in (None, object(), pg.PlotItem()):
        with pytest.raises(ExportError, match="not shown at the moment"):
            service.save(item("plot", nothing), tmp_path / "p.png")
    layout = pg.GraphicsLayoutWidget()
    qtbot.addWidget(layout)
    layout.addPlot().plot([1.0, 2.0])
    layout.addPlot().plot([3.0])
    rows = service.save(item("plot", layout), tmp_path / "p.csv").read_text().splitlines()
    assert rows[0] == "curve 1 x,curve 1 y,curve 2 x,curve 2 y"
