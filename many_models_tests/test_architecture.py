"""The rules of the house that no linter sees: what may be loaded where, sizes, names, mirrors.

What a single import statement gives away is ruff's to find (``ruff.toml`` in ``core/`` and
``adapters/``); here is what such an import brings along, and how the modules stand together.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import many_models
import many_models_tests

PACKAGE = Path(many_models.__file__).parent
TESTS = Path(many_models_tests.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

MAX_LINES = 300
EMPTY_NAMES = {"base", "common", "helpers", "manager", "utils"}

# Imports a layer module by module, and prints each one after which a banned library is loaded.
LOADED_BY_LAYER = """
import importlib, pkgutil, sys
layer, banned = sys.argv[1], set(sys.argv[2:])
package = importlib.import_module(layer)
names = [module.name for module in pkgutil.walk_packages(package.__path__, layer + ".")]
for name in [layer, *names]:
    importlib.import_module(name)
    for library in sorted(banned & sys.modules.keys()):
        print(f"{name} loads {library}")
        banned.remove(library)
"""


@pytest.mark.parametrize(
    ("layer", "banned"),
    [
        ("many_models.core", ["dagster", "mlflow", "pyspark", "many_models.adapters"]),
        ("many_models.adapters", ["dagster", "many_models.defs"]),
    ],
)
def test_a_layer_loads_nothing_that_belongs_further_out(layer: str, banned: list[str]) -> None:
    command = [sys.executable, "-c", LOADED_BY_LAYER, layer, *banned]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.splitlines() == []


def test_every_module_can_be_read_in_one_sitting() -> None:
    lines = {_relative(module): len(module.read_text().splitlines()) for module in MODULES}
    assert {name: count for name, count in lines.items() if count > MAX_LINES} == {}


def test_every_module_is_named_after_what_it_holds() -> None:
    named = [_relative(path) for path in PACKAGE.rglob("*") if path.stem in EMPTY_NAMES]
    assert named == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [_relative(module) for module in MODULES if not module.read_text().startswith('"""')]
    assert silent == []


@pytest.mark.parametrize("layer", ["core", "adapters", "defs", "commands"])
def test_every_test_module_mirrors_a_module(layer: str) -> None:
    mirrored = {
        test.relative_to(TESTS): test.relative_to(TESTS).with_name(test.name.removeprefix("test_"))
        for test in (TESTS / layer).rglob("test_*.py")
    }
    lost = [str(test) for test, module in mirrored.items() if not (PACKAGE / module).exists()]
    assert lost == []


def _relative(module: Path) -> str:
    return str(module.relative_to(PACKAGE))
