"""What a module will import is told from its sources, apart by whether Qt's types are made."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from studio.ui.import_plan import ImportPlan, plan_imports

ROOT = Path(__file__).parents[2]

FILES = {
    "__init__.py": "",
    "panel.py": (
        '"""A docstring with\n\nimport antigravity\n"""\nfrom __future__ import annotations\nimport an_installed_one as c\n'
        "from PySide6.QtWidgets import QLabel\nfrom . import words\nfrom .sub.shapes import Shape\nfrom .pure import (\n    number,\n)\n\n"
        "class Panel(QLabel):\n    def build(self):\n        from .late import late\n\nimport this\n"
    ),
    "words.py": "from .pure import number\nif number:\n    import mailbox\n",
    "pure.py": "from . import words\nnumber = 1\n",
    "late.py": "",
    "sub/__init__.py": "from .shapes import Shape\nfrom .sizes import size\n",
    "sub/shapes.py": "import PySide6.QtGui\nclass Shape: pass\n",
    "sub/sizes.py": "size = 3\n",
}


def planned(folder: Path, files: dict[str, str], module: str = "sample.panel") -> ImportPlan:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return plan_imports(module, {"sample": [str(folder)]})


def test_what_makes_types_of_qt_comes_apart_from_the_rest_in_the_order_of_need(tmp_path: Path) -> None:
    plan = planned(tmp_path, FILES)
    assert [name for name in plan.apart if name.startswith("sample")] == ["sample", "sample.pure", "sample.words"]
    assert "an_installed_one" in plan.apart
    assert [name for name in plan.here if name.startswith("sample")] == [
        "sample.sub.sizes", "sample.sub", "sample.sub.shapes", "sample.panel",
    ]  # fmt: skip


def test_only_the_head_of_a_file_is_read(tmp_path: Path) -> None:
    names = {*planned(tmp_path, FILES).apart, *planned(tmp_path, FILES).here}
    assert names.isdisjoint({"antigravity", "this", "mailbox", "sample.late"})


def test_a_submodule_whose_package_makes_types_makes_them_too(tmp_path: Path) -> None:
    """Importing `sample.sub.sizes` alone would run `sample.sub`."""
    assert "sample.sub.sizes" in planned(tmp_path, FILES, "sample.sub.sizes").here


def test_a_definition_at_the_margin_of_a_docstring_is_no_end_of_the_head(tmp_path: Path) -> None:
    text = '"""Some\nclass of things."""\nimport an_installed_one\nx: int\n'
    assert "an_installed_one" in planned(tmp_path, {"__init__.py": "", "panel.py": text}).apart


@pytest.mark.parametrize("text", ["import (", "x\0y", "from ....... import far", "from .missing import thing", "import nowhere.at.all", "("*5000])
def test_a_source_that_cannot_be_read_needs_nothing(tmp_path: Path, text: str) -> None:
    plan = planned(tmp_path, {"__init__.py": "", "panel.py": text})
    assert "sample.panel" in plan.apart


def test_a_module_that_is_not_there(tmp_path: Path) -> None:
    assert planned(tmp_path, {}, "sample.panel").apart == ("sample.panel",)


def test_nothing_is_imported_while_planning() -> None:
    code = (
        "import sys, studio.ui.import_plan as p\nbefore = set(sys.modules)\n"
        "plan = p.plan_imports('studio_plugins.rl.panel', {'studio': None, 'studio_plugins': None})\n"
        "assert 'studio_plugins.rl.panel' in plan.here and 'torch' not in plan.apart, plan\n"
        "print(*(name for name in set(sys.modules) - before if name.startswith(('studio', 'PySide6'))))"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.split() == []
