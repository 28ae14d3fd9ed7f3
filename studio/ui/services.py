"""The services of one running window, made by studio.app; what comes after the first paint is None before."""

from __future__ import annotations

from dataclasses import dataclass

from studio.engine import Engine
from studio.host.commands import CommandRegistry
from studio.host.export import ExportService
from studio.host.paths import DataPaths
from studio.host.results import ResultsStore
from studio.host.settings import SettingsStore


@dataclass
class Services:
    """`engine` and `results` are set once the window has been painted."""

    paths: DataPaths
    settings: SettingsStore
    commands: CommandRegistry
    export: ExportService
    results: ResultsStore | None = None
    engine: Engine | None = None
    safe: bool = False
