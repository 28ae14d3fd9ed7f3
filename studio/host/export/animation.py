"""Animations as GIF (Pillow) or MP4 (the ffmpeg program, where it is found)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio.host.atomic import replacing
from studio.host.export.kinds import Animation, ExportError

_FFMPEG_SECONDS = 600


def as_frames(data: Any) -> tuple[NDArray[np.uint8], Animation]:
    """Frames uint8 [N,H,W,3] of an Animation or an array, and the Animation (for its timing). Raises ExportError."""
    animation = data if isinstance(data, Animation) else Animation(data)
    try:
        frames = np.asarray(animation.frames)
    except ValueError as error:
        raise ExportError("The frames of this animation have different sizes.") from error
    if frames.ndim == 3:
        frames = np.repeat(frames[..., None], 3, axis=3)
    if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8 or 0 in frames.shape:
        raise ExportError("There are no frames to export yet. Run it first, then export.")
    if not 0.1 <= animation.fps <= 240:
        raise ExportError("The speed of an animation is between 0.1 and 240 frames a second.")
    return frames, animation


def write_gif(data: Any, path: Path) -> None:
    """Write an endlessly looping GIF atomically; one palette for all frames, so that colours do not flicker.

    GIF counts time in 1/100 s and viewers slow down anything under 2/100 s, so faster animations are thinned out.
    """
    from PIL import Image

    frames, animation = as_frames(data)
    keep = max(1, int(np.ceil(animation.fps / 50)))
    kept = [*frames[:-1:keep], frames[-1]]
    step = 1000 * keep / animation.fps
    strip = Image.fromarray(np.concatenate(kept[:: max(1, len(kept) // 16)], axis=0))
    palette = strip.quantize(256, method=Image.Quantize.MEDIANCUT)
    images = [Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE) for frame in kept]
    durations = [round(step / 10) * 10] * (len(images) - 1) + [round((step + 1000 * animation.hold) / 10) * 10]
    with replacing(path) as temporary:
        images[0].save(
            temporary, "GIF", save_all=True, append_images=images[1:], duration=durations, loop=0, optimize=False,
        )  # fmt: skip


def ffmpeg() -> str | None:
    """Path of the ffmpeg program, or None."""
    return shutil.which("ffmpeg")


def write_mp4(data: Any, path: Path) -> None:
    """Write H.264 MP4 atomically. Raises ExportError without ffmpeg or when it fails, FileUnwritable.

    Small frames are enlarged by a whole factor (players blur tiny videos), and odd sides are padded by one pixel,
    since yuv420p needs even ones.
    """
    program = ffmpeg()
    if program is None:
        raise ExportError("MP4 needs the program ffmpeg. Install it (apt install ffmpeg) or save as GIF.")
    frames, animation = as_frames(data)
    count, height, width, _ = frames.shape
    zoom = max(1, 256 // max(height, width))
    repeats = round(animation.hold * animation.fps)
    if repeats:
        frames = np.concatenate([frames, np.repeat(frames[-1:], repeats, axis=0)])
    scale = f"scale={width * zoom}:{height * zoom}:flags=neighbor,pad=ceil(iw/2)*2:ceil(ih/2)*2"
    with replacing(path) as temporary:
        command = [
            program, "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}",
            "-r", f"{animation.fps:g}", "-i", "-", "-an", "-vf", scale, "-c:v", "libx264", "-pix_fmt", "yuv420p",
            "-crf", "16", "-movflags", "+faststart", str(temporary),
        ]  # fmt: skip
        try:
            run = subprocess.run(command, input=frames.tobytes(), capture_output=True, timeout=_FFMPEG_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise ExportError("ffmpeg did not finish in ten minutes and was stopped. Save as GIF.") from error
        if run.returncode != 0:
            words = run.stderr.decode("utf-8", "replace").strip()[-300:]
            raise ExportError(f"ffmpeg could not write this animation: {words or 'no reason given'}. Save as GIF.")
