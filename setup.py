"""Which packages and files go into the wheel; everything else is in pyproject.toml.

`plugins/` and `resources/` are installed as `studio_plugins` and `studio_resources`, a renaming that the automatic discovery of
pyproject.toml does not know. Folders are found, not listed: a new plugin or sub-package needs no change here.
"""

from __future__ import annotations

from setuptools import find_packages, setup

FILES = ["*.toml", "*.md", "*.json", "*.svg", "*.png", "*.safetensors", "*.txt", "*.gz", "*.npz", "*.npy", "py.typed",
         "example/*"]  # fmt: skip

setup(
    packages=[
        *find_packages(include=["studio", "studio.*"]),
        *("studio_plugins" + ("." + name if name else "") for name in ["", *find_packages("plugins")]),
        "studio_resources",
    ],
    package_dir={"studio": "studio", "studio_plugins": "plugins", "studio_resources": "resources"},
    package_data={"": FILES, "studio_resources": ["**/*"]},
    exclude_package_data={"": ["__pycache__/*", "*.pyc"]},
)
