"""Standard error and tables: what a person reads, with colour where a terminal shows it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from rich.console import Console, OverflowMethod
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from undaunted.cli.plain_text import plain
from undaunted.cli.standard_streams import silence
from undaunted.cli.stdout import write_line

__all__ = ["Cell", "Terminal", "print_table"]

# What stands for our marks where the encoding of stderr has only ASCII.
_IN_ASCII = str.maketrans({"✓": "+", "✗": "x", "→": ">", "·": "-", "…": "~", "▸": ">", "↻": "@"})

# A table that a program reads must not depend on the width of a terminal that is not there.
_UNLIMITED_WIDTH = 10_000


class _Console(Console):
    """A console that falls silent when its reader is gone; Rich's own would end the program."""

    def tell(
        self,
        shown: Text | Padding,
        *,
        no_wrap: bool | None = None,
        overflow: OverflowMethod | None = None,
        soft_wrap: bool | None = None,
    ) -> None:
        """`print`, which falls silent too where nothing can be written (a full disk, say)."""
        try:
            self.print(shown, no_wrap=no_wrap, overflow=overflow, soft_wrap=soft_wrap)
        except OSError:
            self.on_broken_pipe()

    def on_broken_pipe(self) -> None:
        self.quiet = True
        silence(sys.stderr)


class Terminal:
    """Standard error, a line at a time.

    Colour and cutting to the width happen on a terminal only; Rich honours NO_COLOR and TERM. A
    reader that is gone is no error: the task was accepted, and only the telling is lost.

    Args:
        quiet: Nothing is told but errors.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._console = _Console(stderr=True, highlight=False, markup=False, emoji=False)

    def line(self, text: Text) -> None:
        """Tells `text` in one line; on a terminal what does not fit is cut."""
        if self._quiet:
            return
        if self._console.is_terminal:
            self._console.tell(self._fitting(text), no_wrap=True, overflow="ellipsis")
        else:
            self._console.tell(self._fitting(text), soft_wrap=True)

    def note(self, text: str, style: str = "") -> None:
        """Tells something in whole; on a terminal it is wrapped between words."""
        if not self._quiet:
            self.error(text, style)

    def error(self, text: str, style: str = "", *, indent: int = 0) -> None:
        """Tells something even if quiet was asked for."""
        shown = self._fitting(Text(plain(text), style=style))
        if self._console.is_terminal:
            self._console.tell(Padding(shown, (0, 0, 0, indent), expand=False))
        else:
            self._console.tell(Text(" " * indent) + shown, soft_wrap=True)

    def _fitting(self, text: Text) -> Text:
        if not self._console.encoding.startswith("utf"):
            text.plain = text.plain.translate(_IN_ASCII)  # one for one: the styles stay in place
        return text


Cell = str | tuple[str, str]
"""A table's cell: its text, or its text and style."""


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Prints a table on standard output: wrapped into a terminal, unlimited elsewhere.

    Args:
        columns: The headings.
        rows: The cells; their text may come from an agent and is made harmless.
    """
    width = None if sys.stdout.isatty() else _UNLIMITED_WIDTH
    console = Console(width=width, highlight=False)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(Text(column), overflow="fold")
    for row in rows:
        cells = (cell if isinstance(cell, tuple) else (cell, "") for cell in row)
        table.add_row(*(Text(plain(text), style=style) for text, style in cells))
    with console.capture() as capture:
        console.print(table)
    write_line("\n".join(line.rstrip() for line in capture.get().splitlines()))
