"""A golden case that fails is decided by one rule, and is not understood without it.

A rule is a `TextRule`, or what an HTTP status means. Where a second rule comes to the same kind,
the case has to expect the `evidence` as well. Some cases are decided by no rule: by the signal that
ended the process, by an end without a word, or by words that nobody knows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from agents.test_golden import CASES, READERS, read, understood
from undaunted.agents.agent import AgentResult
from undaunted.agents.rules import RuleSet, TextRule
from undaunted.failures import FailureKind

EXPECTED = {path: json.loads((path / "case.json").read_text())["expected"] for path in CASES}
FAILING = [path for path in CASES if EXPECTED[path]["kind"] != "success"]

# The evidence that `RuleSet` gives ends with the text that matched, in quotes, or with the status.
_BY_TEXT = re.compile(r': ".*"\Z', re.DOTALL)
_BY_STATUS = re.compile(r": HTTP status (\d+)\Z")
# What `OutputReader` calls an end that no rule explains.
_UNEXPLAINED = {"broken_response", "crashed", "interrupted", "unknown"}


def result_of(folder: Path, rules: RuleSet | None = None) -> AgentResult:
    """How `folder` is read, by its agent's own rules or by `rules`."""
    case = json.loads((folder / "case.json").read_text())
    agent = folder.parent.name
    with pytest.MonkeyPatch.context() as patch:
        if rules is not None:
            patch.setitem(READERS, agent, type("Altered", (READERS[agent],), {"rules": rules}))
        return read(folder, case)


def as_expected(folder: Path, rules: RuleSet) -> bool:
    result = result_of(folder, rules)
    return understood(result, EXPECTED[folder]) == EXPECTED[folder]


def evidence_of(folder: Path) -> str:
    failure = result_of(folder).failure
    assert failure is not None
    return failure.evidence


def without_status(rules: RuleSet, status: int) -> RuleSet:
    class Forgetful(RuleSet):
        def _status_kind(self, asked: int) -> FailureKind | None:
            return None if asked == status else super()._status_kind(asked)

    return Forgetful(rules.specific, rules.general, rules.statuses)


def without_a_text(rules: RuleSet, kind: FailureKind) -> Iterator[RuleSet]:
    """`rules` without one of the text rules for `kind`, each in turn."""

    def others(some: Sequence[TextRule], one: TextRule) -> list[TextRule]:
        return [rule for rule in some if rule is not one]

    for one in (*rules.specific, *rules.general):
        if one.kind is kind:
            yield replace(
                rules,
                specific=others(rules.specific, one),
                general=others(rules.general, one),
                fallback=(),  # which may well know the words too
            )


@pytest.mark.parametrize("folder", FAILING, ids=lambda p: f"{p.parent.name}-{p.name}")
def test_without_its_rule_the_case_fails(folder: Path) -> None:
    """Each failing case needs the rule that decides it; one that is decided by none needs none."""
    rules, expected, evidence = (
        READERS[folder.parent.name]().rules,
        EXPECTED[folder],
        evidence_of(folder),
    )
    if by_status := _BY_STATUS.search(evidence):
        assert not as_expected(folder, without_status(rules, int(by_status[1])))
    elif _BY_TEXT.search(evidence):
        fewer = without_a_text(rules, FailureKind(expected["kind"]))
        assert not all(as_expected(folder, less) for less in fewer)
    else:
        assert expected["kind"] in _UNEXPLAINED
        assert as_expected(folder, RuleSet(()))


@pytest.mark.parametrize("agent", sorted(READERS))
def test_no_rule_looks_without_end(agent: str) -> None:
    """No rule skips over any number of characters: in a long text that takes minutes."""
    rules = READERS[agent]().rules
    endless = re.compile(r"(?<!\\)(?:\.|\[\^(?!\\s)[^\]]*\])[*+]")
    assert [r.pattern for r in (*rules.specific, *rules.general) if endless.search(r.pattern)] == []


@pytest.mark.parametrize("agent", sorted(READERS))
def test_most_cases_are_decided_by_a_rule(agent: str) -> None:
    """At least ten failures of an agent are explained by its rules, not by the process's end."""
    seen = [evidence_of(path) for path in FAILING if path.parent.name == agent]
    assert sum(bool(_BY_TEXT.search(e) or _BY_STATUS.search(e)) for e in seen) >= 10
