"""Documents of the canvas: what they hold, their file, the layered export and the recovery copy. No Qt here."""

from studio.host.documents.content import DocumentContent, LayerContent, VersionContent

__all__ = ["DocumentContent", "LayerContent", "VersionContent"]
