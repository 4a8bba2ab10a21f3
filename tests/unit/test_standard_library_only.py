"""`import undaunted` and its policies need nothing installed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from needs import ROOT

# -I and -S leave neither the caller's environment nor any site-packages; the finder also refuses
# what a module might try and do without.
ALONE = """
import importlib, pkgutil, sys
sys.path.insert(0, sys.argv[1])

class RefuseInstalled:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in sys.stdlib_module_names | {"undaunted"}:
            raise ModuleNotFoundError(f"{name} is not in the standard library", name=name)

sys.meta_path.insert(0, RefuseInstalled())
module = importlib.import_module(sys.argv[2])
# All that is below it, too; but below the root is the whole product.
folders = getattr(module, "__path__", ()) if "." in sys.argv[2] else ()
for part in pkgutil.walk_packages(folders, sys.argv[2] + "."):
    importlib.import_module(part.name)
"""


def _import_alone(name: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", ALONE, str(ROOT / "src"), name],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize(
    "name",
    [
        "undaunted",
        "undaunted.agents.agent",
        "undaunted.errors",
        "undaunted.events",
        "undaunted.failures",
        "undaunted.resilience",
        "undaunted.tasks",
        "undaunted.testing",
    ],
)
def test_it_is_imported_with_the_standard_library_alone(name: str) -> None:
    """The module, and all that is below it, imports where nothing is installed."""
    done = _import_alone(name)
    assert done.returncode == 0, done.stderr


def test_what_is_installed_is_refused() -> None:
    """The check itself sees a module that needs more."""
    assert "is not in the standard library" in _import_alone("pydantic").stderr
