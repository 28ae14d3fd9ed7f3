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


class DownloadRequest(Request):
    """Download files of a model from Hugging Face into the local cache."""

    kind: ClassVar[str] = "download_model"

    repo: str = ui(
        title="Model", help="Its id on Hugging Face: organisation/name.", min_length=1, sweepable=False,
    )  # fmt: skip
    revision: str = ui(
        "", title="Revision", help="The revision that was listed; none takes the latest.",
        widget="hidden", sweepable=False,
    )  # fmt: skip
    files: tuple[str, ...] = ui(
        (), title="Files", help="Names of the files; none takes those a model needs.", widget="hidden", sweepable=False,
    )  # fmt: skip
