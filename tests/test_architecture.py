"""The house rules that a program can check: who imports whom, who starts processes, how big."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

from needs import ROOT

PACKAGE = ROOT / "src" / "undaunted"
MAX_LINES = 400
NAMES_THAT_SAY_NOTHING = {"base", "common", "helpers", "manager", "misc", "utils"}

# What starts a process, by the name it is imported or called by.
SPAWNERS = {
    "subprocess", "multiprocessing", "pty", "ProcessPoolExecutor",
    "create_subprocess_exec", "create_subprocess_shell", "subprocess_exec", "subprocess_shell",
    "fork", "forkpty", "popen", "posix_spawn", "posix_spawnp", "system",
    "execl", "execle", "execlp", "execlpe", "execv", "execve", "execvp", "execvpe",
    "spawnl", "spawnle", "spawnlp", "spawnlpe", "spawnv", "spawnve", "spawnvp", "spawnvpe",
}  # fmt: skip

# `process.py` and its parts end what they start. The simulated agent's program is no part of us: it
# stands for an agent's own, which leaves processes behind.
MAY_START_PROCESSES = ("agents/process*.py", "agents/simulated_child.py")

MODULES = sorted(PACKAGE.rglob("*.py"))


def _is_migration(module: Path) -> bool:
    # Alembic loads them by path and calls names of its own choosing.
    return "migrations" in module.parts


def _label(module: Path) -> str:
    return str(module.relative_to(PACKAGE))


def _names_used(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(part for alias in node.names for part in alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            names.update((node.module or "").split("."))
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.Attribute):
            names.add(node.attr)
    return names


def _public_definitions(tree: ast.Module) -> list[str]:
    defined = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return [n.name for n in tree.body if isinstance(n, defined) and not n.name.startswith("_")]


def _has_all(tree: ast.Module) -> bool:
    return any(
        isinstance(target, ast.Name) and target.id == "__all__"
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    )


def test_an_import_only_points_down(capsys: pytest.CaptureFixture[str]) -> None:
    """The contracts in .importlinter hold."""
    status = lint_imports(config_filename=str(ROOT / ".importlinter"), no_cache=True, no_logo=True)
    assert status == 0, capsys.readouterr().out


def test_the_root_is_no_shortcut() -> None:
    """Inside the package nobody takes a name from the package itself but its version."""
    # A module that asked the root for a name would import whatever layer that name comes from,
    # and import-linter looks away from what the root imports.
    offenders = []
    for module in MODULES:
        children = {child.stem for child in PACKAGE.iterdir()} | {"__version__"}
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "undaunted" and not node.level:
                offenders += [
                    f"{_label(module)}: {alias.name}"
                    for alias in node.names
                    if alias.name not in children
                ]
    assert offenders == []


def test_one_module_starts_processes() -> None:
    """Only agents/process*.py starts processes, so that one place can promise to end them."""
    offenders = {
        _label(module): sorted(used)
        for module in MODULES
        if (used := _names_used(ast.parse(module.read_text())) & SPAWNERS)
        and not any(module.match(allowed) for allowed in MAY_START_PROCESSES)
    }
    assert offenders == {}


def test_a_module_fits_in_the_head() -> None:
    """No module is longer than 400 lines."""
    lengths = {_label(module): len(module.read_text().splitlines()) for module in MODULES}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_LINES} == {}


def test_a_module_has_a_name_that_says_something() -> None:
    """No module or package is called by a word that fits anything."""
    paths = [module.relative_to(PACKAGE) for module in MODULES]
    offenders = [str(p) for p in paths if NAMES_THAT_SAY_NOTHING & {*p.parts, p.stem}]
    assert offenders == []


def test_a_module_says_what_it_offers() -> None:
    """Every module that defines a public name has `__all__` (ruff's RUF022 keeps it sorted)."""
    offenders = []
    for module in MODULES:
        tree = ast.parse(module.read_text())
        if _public_definitions(tree) and not _has_all(tree) and not _is_migration(module):
            offenders.append(_label(module))
    assert offenders == []
