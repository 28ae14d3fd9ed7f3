"""The left column: the form, and the ways in for a table of one's own."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget

from studio.ui.form import RequestForm
from studio.ui.panel_layout import PanelLayout
from studio.ui.tokens import SPACE_S
from studio_plugins.elastic_net.jobs import TableRead
from studio_plugins.elastic_net.request import ElasticNetRequest


class Controls(QWidget):
    """Builds its parts into a PanelLayout. Signals: `changed` at every edit, `opening`, `pasting`."""

    changed = Signal()
    opening = Signal()
    pasting = Signal()

    def __init__(self, zones: PanelLayout) -> None:
        super().__init__(zones)
        self.hide()  # only the owner of the parts below, which live in the zones
        self._columns: tuple[str, ...] = ()
        self.form: RequestForm[ElasticNetRequest] = RequestForm(
            ElasticNetRequest, zones, providers={"columns": lambda: list(self._columns)}
        )
        self.form.changed.connect(self.changed)
        row = QWidget(zones)
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_S)
        for text, tip, signal in (
            ("Open a table…", "A CSV, Excel or Parquet file with a header", self.opening),
            ("Paste a table", "Cells copied from a spreadsheet, with a header", self.pasting),
        ):
            button = QPushButton(text, row)
            button.setToolTip(tip)
            button.clicked.connect(lambda _checked=False, signal=signal: signal.emit())
            layout.addWidget(button)
        self._about = QLabel(zones)
        self._about.setProperty("tone", "faint")
        self._about.setWordWrap(True)
        self._about.hide()
        for widget in (row, self._about, self.form):
            zones.add_control(widget)

    def show_table(self, read: TableRead, *, choose: bool) -> None:
        """Offer the columns of a table; with `choose` it becomes the data, its last column the response."""
        self._columns = read.names
        self._about.setText(f"{read.path.rsplit('/', 1)[-1]}: {read.rows:,} rows, {len(read.names)} columns")
        self._about.show()
        self.form.refresh_choices()
        if choose:
            self.form.set_fields(
                {
                    "data": "own",
                    "table": read.path,
                    "table_sha256": read.sha256,
                    "target": read.names[-1],
                    "family": "auto",
                    "without": (),
                    "first": "",
                    "second": "",
                    "output": 0,
                }
            )

    def set(self, **fields: object) -> None:
        """Change some settings, as an edit in the form would."""
        self.form.set_fields(fields)
