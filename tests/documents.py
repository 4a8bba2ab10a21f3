"""The project's documents as tests read them: tables, code blocks, console sessions, links."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from needs import ROOT

__all__ = ["DOCUMENTS", "Block", "Step", "anchors", "blocks", "codes", "links", "steps", "table"]

DOCUMENTS = sorted(
    [
        *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
        *(ROOT / "docs").rglob("*.md"),
    ]
)

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, its text, and the line of the document it begins in."""

    language: str
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Step:
    """A command of a console session: what it prints (empty: not shown) and its exit status."""

    command: str
    output: str
    status: int


def blocks(path: Path, language: str) -> list[Block]:
    """The blocks of one language, in order."""
    text = path.read_text()
    return [
        Block(found[1], found[2], text.count("\n", 0, found.start()) + 2)
        for found in _FENCE.finditer(text)
        if found[1] == language
    ]


def steps(block: Block) -> list[Step]:
    """The commands of a console block; `$ echo $?` shows the status of the one before it."""
    found: list[Step] = []
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        if command == "echo $?":
            found[-1] = Step(found[-1].command, found[-1].output, int(output))
        else:
            found.append(Step(command, output, 0))
    return found


def table(path: Path, heading: str) -> list[dict[str, str]]:
    """The rows of the first table under `heading`, by the names of the columns."""
    section = _prose(path).split(f"# {heading}\n", 1)[1]
    lines = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)
    assert lines is not None, f"{path}: no table under {heading!r}"
    head, _, *rows = [
        [cell.strip() for cell in re.split(r"(?:^| )\|(?: |$)", line)[1:-1]]
        for line in lines[0].splitlines()
    ]
    return [dict(zip(head, row, strict=True)) for row in rows]


def links(path: Path) -> list[str]:
    """Where the links of a document lead."""
    return _LINK.findall(_prose(path))


def codes(path: Path) -> list[str]:
    """What stands between backticks in a document's sentences and tables."""
    return _CODE.findall(_prose(path))


def anchors(path: Path) -> set[str]:
    """The anchors that a document's headings have where it is shown."""
    titles = [title.lower().replace("`", "") for _, title in _HEADING.findall(_prose(path))]
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in titles}


def _prose(path: Path) -> str:
    return _FENCE.sub("", path.read_text())
