"""The example: a real sweep of the bundled models in `example/`, with the pictures of its first prompts only.

`python -m studio_plugins.tradeoff.demo` draws it anew (after a bundled model has changed).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from studio.ml.evaluation.points import Measured
from studio_plugins.tradeoff.keeping import files_of, read_files
from studio_plugins.tradeoff.request import TradeoffRequest
from studio_plugins.tradeoff.results import TradeoffResult

FOLDER = Path(__file__).with_name("example")
REQUEST_FILE = "request.json"
SHOWN_PROMPTS = 3


def available() -> bool:
    """Whether the example is there."""
    return (FOLDER / REQUEST_FILE).is_file()


def read() -> TradeoffResult | None:
    """The example, None when it is not there."""
    if not available():
        return None
    request = TradeoffRequest.from_json((FOLDER / REQUEST_FILE).read_bytes())
    return read_files(request, {path.name: path for path in FOLDER.iterdir()})


def write(result: TradeoffResult, folder: Path = FOLDER) -> None:
    """Write a sweep as the example; without times, which are those of another machine."""
    folder.mkdir(exist_ok=True)
    few = tuple(_shortened(measured, SHOWN_PROMPTS * result.request.per_prompt) for measured in result.measured)
    (folder / REQUEST_FILE).write_text(result.request.to_json(indent=1) + "\n", encoding="utf-8")
    for name, content in files_of(replace(result, measured=few, seconds=0.0)).items():
        assert isinstance(content, bytes)
        (folder / name).write_bytes(content)


def _shortened(measured: Measured, count: int) -> Measured:
    point = measured.point.model_copy(update={"seconds": 0.0})
    return Measured(point, measured.pictures[:count], measured.faults[:count])


def draw() -> TradeoffResult:
    """Draw the default sweep with the bundled models; takes minutes."""
    from studio.engine import run_inline
    from studio_plugins.tradeoff.jobs import sweep

    result: TradeoffResult = run_inline(sweep, TradeoffRequest())
    return result


if __name__ == "__main__":
    write(draw())
