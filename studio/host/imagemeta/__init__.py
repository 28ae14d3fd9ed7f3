"""Settings inside picture files: write ours, read ours and those of other tools, survive hostile files."""

from studio.host.imagemeta.a1111 import Parameters, format_parameters, parse_parameters
from studio.host.imagemeta.containers import MAX_PIXELS, ImageMetadataError, ImageTooLarge
from studio.host.imagemeta.pixels import load_rgb, thumbnail
from studio.host.imagemeta.reader import ImageMetadata, read_metadata
from studio.host.imagemeta.writer import encode_image, encode_png, envelope, write_image, write_png

__all__ = [
    "MAX_PIXELS", "ImageMetadata", "ImageMetadataError", "ImageTooLarge", "Parameters", "encode_image", "encode_png",
    "envelope", "format_parameters", "load_rgb", "parse_parameters", "read_metadata", "thumbnail", "write_image",
    "write_png",
]  # fmt: skip
