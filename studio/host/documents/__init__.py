"""Documents of the canvas: what they hold, their file, the layered export and the recovery copy. No Qt here."""

from studio.host.documents.archive import SUFFIX, is_document, read_document, write_document, writing
from studio.host.documents.content import DocumentContent, LayerContent, VersionContent
from studio.host.documents.schema import DocumentNewer, DocumentUnreadable

__all__ = [
    "SUFFIX", "DocumentContent", "DocumentNewer", "DocumentUnreadable", "LayerContent", "VersionContent", "is_document",
    "read_document", "write_document", "writing",
]  # fmt: skip
