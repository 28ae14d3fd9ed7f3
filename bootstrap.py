#!/usr/bin/env python3
"""Make Glassbox Studio ready on this machine, then open it or test it.

    python3 bootstrap.py run  [ARGUMENTS OF glassbox]     open the window (or `run train emoji-base`, `run models`, ...)
    python3 bootstrap.py test [ARGUMENTS OF pytest]       run the whole test suite without a screen

Standard library only, so that it runs before anything is installed. The first start makes `.venv` next to this file, installs
what `requirements.lock` pins and checks the system libraries Qt needs; a stamp then lets every later start skip all of that.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
OLDEST_PYTHON = (3, 11)
STAMP = ".glassbox-stamp.json"
UNFINISHED = ".glassbox-unfinished"
BUILD_BACKEND = "setuptools"

# What Qt's wheels load from the system, by soname, and the Debian/Ubuntu package that brings it.
QT_BASE = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libGLX.so.0": "libglx0",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libdbus-1.so.3": "libdbus-1-3",
    "libglib-2.0.so.0": "libglib2.0-0",
}
QT_X11 = {
    "libX11-xcb.so.1": "libx11-xcb1",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-glx.so.0": "libxcb-glx0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render.so.0": "libxcb-render0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-shm.so.0": "libxcb-shm0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-util.so.1": "libxcb-util1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}
QT_WAYLAND = {
    "libwayland-client.so.0": "libwayland-client0",
    "libwayland-cursor.so.0": "libwayland-cursor0",
    "libwayland-egl.so.1": "libwayland-egl1",
}
FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.fonts", "~/.local/share/fonts")
FONT_PACKAGE = "fonts-dejavu-core"


class BootstrapError(Exception):
    """Something a person has to do first; the message says what."""


def say(text: str) -> None:
    print("[glassbox] " + text, file=sys.stderr, flush=True)


# --- Python ----------------------------------------------------------------------------------------------------------


def newer_python() -> str | None:
    """Path of another interpreter on this machine that is new enough, or None."""
    for minor in range(14, OLDEST_PYTHON[1] - 1, -1):
        found = shutil.which("python3.%d" % minor)
        if found and subprocess.call([found, "-c", "import venv"], stderr=subprocess.DEVNULL) == 0:
            return found
    return None


def check_python(version: tuple[int, ...], arguments: list[str]) -> None:
    """Leave an interpreter that is too old: start again with a newer one, or say what to install."""
    if version[:2] >= OLDEST_PYTHON:
        return
    wanted = "%d.%d" % OLDEST_PYTHON
    other = newer_python()
    if other is None:
        raise BootstrapError(
            "Glassbox Studio needs Python %s or newer; this is %d.%d. Install it from https://www.python.org/downloads/ "
            "(or your package manager), then run: python%s bootstrap.py run" % (wanted, version[0], version[1], wanted)
        )
    say("this Python is older than %s; going on with %s" % (wanted, other))
    replace_process([other, str(ROOT / "bootstrap.py"), *arguments])


# --- the virtual environment -----------------------------------------------------------------------------------------


def venv_python(venv: Path) -> Path:
    return venv / "Scripts" / "python.exe" if os.name == "nt" else venv / "bin" / "python"


def fingerprint(root: Path, version: tuple[int, ...]) -> str:
    """Changes whenever what has to be installed changes: lock, project file, build script, Python, or the place itself."""
    digest = hashlib.sha256(repr((version[:2], sys.platform, str(root))).encode())
    for name in ("requirements.lock", "pyproject.toml", "setup.py"):
        digest.update((root / name).read_bytes())
    return digest.hexdigest()


def ready_modes(venv: Path, key: str) -> list[str]:
    """The modes ("run", "test") for which this very installation was completed. Costs one small file read."""
    try:
        stamp = json.loads((venv / STAMP).read_text(encoding="utf-8"))
        modes = [str(mode) for mode in stamp["modes"]] if stamp["key"] == key else []
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return modes if venv_python(venv).exists() else []


def locked_version(lock: Path, name: str) -> str:
    """`name==version` as the lock pins it."""
    for line in lock.read_text(encoding="utf-8").splitlines():
        if line.split("==")[0].strip().lower() == name:
            return line.strip()
    raise BootstrapError("requirements.lock does not pin %s; get the file again from the repository" % name)


def make_venv(venv: Path) -> None:
    """An empty virtual environment, from scratch if an earlier installation was cut off in the middle."""
    if (venv / UNFINISHED).exists():
        say("the last installation was interrupted; starting it over")
        shutil.rmtree(venv)
    if venv_python(venv).exists() and subprocess.call([str(venv_python(venv)), "-c", "import pip"], stderr=subprocess.DEVNULL) == 0:
        return
    say("making the virtual environment %s" % venv)
    command = [sys.executable, "-m", "venv", "--clear", str(venv)]
    if subprocess.call(command) != 0:
        # Debian and Ubuntu ship Python without ensurepip; its package is named after the interpreter.
        offer_packages(["python%d.%d-venv" % sys.version_info[:2]], "Python's venv module is incomplete")
        if subprocess.call(command) != 0:
            raise BootstrapError("could not make %s: see the message above; is the disk full or the folder read-only?" % venv)


def install(root: Path, venv: Path, extras: str) -> None:
    """Install the project in place with everything pinned by the lock; raises BootstrapError when pip fails."""
    lock = root / "requirements.lock"
    python = str(venv_python(venv))
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--prefer-binary"]
    target = str(root) + ("[%s]" % extras if extras else "")
    (venv / UNFINISHED).write_text("pip was at work here\n", encoding="utf-8")
    say("installing what requirements.lock pins (the first time this downloads a few hundred MB or more)")
    for arguments in (
        [locked_version(lock, BUILD_BACKEND)],
        ["--no-build-isolation", "--constraint", str(lock), "--editable", target],
    ):
        if subprocess.call(pip + arguments, cwd=str(root)) != 0:
            raise BootstrapError("pip could not install the dependencies (its message is above). Check network and disk space, then start again.")
    (venv / UNFINISHED).unlink()


def write_stamp(venv: Path, key: str, modes: list[str]) -> None:
    temporary = venv / (STAMP + ".new")
    temporary.write_text(json.dumps({"key": key, "modes": modes}), encoding="utf-8")
    os.replace(str(temporary), str(venv / STAMP))


# --- system libraries ------------------------------------------------------------------------------------------------


def loads(soname: str) -> bool:
    try:
        ctypes.CDLL(soname)
    except OSError:
        return False
    return True


def has_fonts() -> bool:
    return any(next(Path(folder).expanduser().rglob("*.[to]t[fc]"), None) is not None for folder in FONT_FOLDERS)


def missing_packages(window: bool) -> list[str]:
    """Debian names of the packages that Qt would miss here; with `window`, for a real screen too."""
    needed = dict(QT_BASE)
    if window:
        needed.update(QT_X11)
        if os.environ.get("WAYLAND_DISPLAY"):
            needed.update(QT_WAYLAND)
    packages = [package for soname, package in needed.items() if not loads(soname)]
    return packages if has_fonts() else [*packages, FONT_PACKAGE]


def apt_prefix() -> list[str] | None:
    """How apt-get may be run here without asking anybody: [] as root, sudo where it needs no password, None otherwise."""
    if shutil.which("apt-get") is None:
        return None
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo and subprocess.call([sudo, "-n", "true"], stderr=subprocess.DEVNULL) == 0:
        return [sudo, "-n"]
    return None


def offer_packages(packages: list[str], why: str) -> None:
    """Install system packages where that is allowed; otherwise say what to install.

    Raises BootstrapError with the one line to run on Debian and its kin. Elsewhere the names are only a hint, so it just prints them.
    """
    if shutil.which("apt-get") is None:
        say("%s. If the next step fails, install what Debian calls: %s" % (why, " ".join(packages)))
        return
    prefix = apt_prefix()
    line = "sudo apt-get install -y " + " ".join(packages)
    if prefix is None:
        raise BootstrapError("%s. Run this line once, then start again:\n    %s" % (why, line))
    say("%s; installing %s" % (why, " ".join(packages)))
    command = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
    if subprocess.call(command) != 0:
        # A fresh container has no package lists yet.
        subprocess.call([*prefix, "apt-get", "update", "-q"])
        if subprocess.call(command) != 0:
            raise BootstrapError("%s and apt-get could not install it (its message is above). Run: %s" % (why, line))


def check_qt(window: bool) -> None:
    if not sys.platform.startswith("linux"):
        return
    packages = missing_packages(window)
    if packages:
        offer_packages(packages, "Qt needs system libraries that are missing")


# --- the two commands ------------------------------------------------------------------------------------------------


def prepare(root: Path, mode: str) -> Path:
    """Everything before the start proper; returns the interpreter to use. Does next to nothing when the stamp is right."""
    venv = root / ".venv"
    key = fingerprint(root, sys.version_info[:3])
    done = ready_modes(venv, key)
    if mode not in done:
        check_qt(window=mode == "run")
        # The tests' installation holds everything the window needs.
        if "test" not in done:
            make_venv(venv)
            install(root, venv, "test" if mode == "test" else "")
        write_stamp(venv, key, [*done, mode])
        say("ready")
    return venv_python(venv)


def replace_process(command: list[str]) -> None:
    """Become `command`; where the system cannot (Windows), run it and leave with its exit code."""
    # macOS hands this to children, and it would point the virtual environment's Python at the wrong installation.
    os.environ.pop("__PYVENV_LAUNCHER__", None)
    if os.name == "nt":
        raise SystemExit(subprocess.call(command))
    os.execv(command[0], command)


def main(arguments: list[str]) -> int:
    mode, rest = (arguments[0], arguments[1:]) if arguments else ("run", [])
    if mode not in ("run", "test"):
        print((__doc__ or "").strip())
        return 0 if mode in ("-h", "--help", "help") else 2
    try:
        check_python(sys.version_info[:3], arguments)
        python = prepare(ROOT, mode)
    except BootstrapError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("interrupted; the next start repairs what is unfinished")
        return 130
    if mode == "test":
        os.chdir(str(ROOT))
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    replace_process([str(python), "-m", "pytest" if mode == "test" else "studio", *rest])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
