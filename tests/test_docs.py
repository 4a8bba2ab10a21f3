"""The documents hang together: links lead somewhere, and what is named exists."""

from __future__ import annotations

import builtins
import importlib
import pkgutil
import re
from functools import cache
from pathlib import Path

import pytest
import typer

import undaunted
from documents import DOCUMENTS, anchors, codes, links, table
from needs import ROOT
from undaunted.cli.main import _commands

DOCS = ROOT / "docs"
DECISIONS = sorted((DOCS / "adr").glob("*.md"))

every_document = pytest.mark.parametrize(
    "path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT))
)


@every_document
def test_every_link_leads_somewhere(path: Path) -> None:
    """A link into the project names a file that is there, and a heading that is in it."""
    broken = []
    for link in links(path):
        if re.match(r"[a-z]+://", link):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_every_document_is_on_the_map() -> None:
    """docs/index.md leads to every page, examples and decisions included."""
    index = DOCS / "index.md"
    led_to = {(DOCS / link.partition("#")[0]).resolve() for link in links(index)}
    assert {*DOCUMENTS} - {index} <= led_to


@every_document
def test_every_path_exists(path: Path) -> None:
    """What is written as a path of the project is one."""
    paths = [c for c in codes(path) if re.match(r"(src|tests|docs|examples|scripts)/", c)]
    assert [c for c in paths if not any(ROOT.glob(c.rstrip("/")))] == []


@cache
def _names() -> frozenset[str]:
    """Every public name of the package and of the builtins."""
    names = {*dir(builtins)}
    for module in pkgutil.walk_packages(undaunted.__path__, "undaunted."):
        if "__main__" not in module.name and "migrations" not in module.name:
            names |= {*dir(importlib.import_module(module.name))}
    return frozenset(names)


# Of other people's: uvicorn's.
_FOREIGN = frozenset({"H11Protocol"})


@every_document
def test_every_class_exists(path: Path) -> None:
    """What is written like a class is one."""
    classes = {c for c in codes(path) if re.fullmatch(r"(?:[A-Z][a-z0-9]+){2,}", c)}
    assert sorted(classes - _names() - _FOREIGN) == []


def _flags(command: typer.core.TyperGroup | object) -> set[str]:
    found = {flag for p in getattr(command, "params", ()) for flag in p.opts}
    for inner in getattr(command, "commands", {}).values():
        found |= _flags(inner)
    return found


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "CHANGELOG.md",
        *(f"docs/{page}.md" for page in ("flow", "exit-codes", "json", "configuration")),
        *(f"docs/operate/{page}.md" for page in ("data", "security")),
    ],
)
def test_every_flag_exists(name: str) -> None:
    """Pages that speak of no other program's flags name flags that undaunted has."""
    written = {flag for c in codes(ROOT / name) for flag in re.findall(r"(?<!\S)--[a-z-]+", c)}
    assert written, "the page names no flag: the test looks at the wrong thing"
    assert sorted(written - _flags(typer.main.get_command(_commands()))) == []


def test_every_term_exists() -> None:
    """The last column of the glossary names things that the code has, each term once."""
    glossary = DOCS / "glossary.md"
    rows = [
        row
        for heading in ("Work", "Failure", "Policies", "Surroundings")
        for row in table(glossary, heading)
    ]
    terms = [row["term"] for row in rows]
    assert len(set(terms)) == len(terms)
    for row in rows:
        module, _, name = row["in code"].strip("`").rpartition(".")
        assert hasattr(importlib.import_module(f"undaunted.{module}"), name), row


def test_no_row_of_the_specification_is_missing() -> None:
    """S1 to S23, each with a state; what is there says where and is shown by a test."""
    rows = table(DOCS / "specification.md", "The specification, row by row")
    assert [row["row"] for row in rows] == [f"S{n}" for n in range(1, 24)]
    for row in rows:
        assert row["is there"] in {"yes", "in part", "not yet"}, row
        if row["is there"] != "not yet":
            assert "src/" in row["where"], row
            assert "tests/" in row["shown by"], row


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_has_its_form(path: Path) -> None:
    """A number, the four headings, under a page."""
    text = path.read_text()
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings == ["Context", "Decision", "Consequences", "Rejected alternatives"]
    assert re.match(rf"# {int(path.name[:4])}\. \S", text)
    assert len(text.splitlines()) <= 60


def test_decisions_are_numbered_without_a_gap() -> None:
    """0001, 0002, ..."""
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))


def test_the_readme_stays_short() -> None:
    """Under 200 lines."""
    assert len((ROOT / "README.md").read_text().splitlines()) < 200
