"""What an import is asked to do."""

from __future__ import annotations

from typing import ClassVar

from studio.host.request import Request, ui


class ImportRequest(Request):
    """Import released checkpoints from a folder."""

    kind: ClassVar[str] = "import_models"

    folder: str = ui(
        title="Folder", help="The folder the downloaded files are in, with the vocabularies beside them.",
        widget="file", min_length=1, sweepable=False,
    )  # fmt: skip
    files: tuple[str, ...] = ui(
        (), title="Files", help="Whole paths of the files to import; none imports every file that can be.",
        widget="hidden", sweepable=False,
    )  # fmt: skip
