"""One export service for all panels: a panel names what it has, the suffix of the file says how it is written."""

from studio.host.export.kinds import Animation, ExportError, Exportable, Picture, Table
from studio.host.export.service import ExportService, Format

__all__ = ["Animation", "ExportError", "ExportService", "Exportable", "Format", "Picture", "Table"]
