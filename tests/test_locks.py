"""The locks: complete, with hashes, and silent about where packages come from."""

from __future__ import annotations

import json
import re
import tomllib
from itertools import chain

import pytest

from needs import ROOT

LOCKS = ("requirements/run.txt", "requirements/dev.txt")
NPM_LOCK = ROOT / "tests" / "tools" / "package-lock.json"


def _entries(lock: str) -> dict[str, str]:
    """The lock's packages, each with all that stands behind its name."""
    text = (ROOT / lock).read_text().replace("\\\n", " ")
    return dict(line.split("==", maxsplit=1) for line in text.splitlines())


def _names(requirements: list[str | dict[str, str]]) -> set[str]:
    return {
        re.split(r"[^\w.-]", item, maxsplit=1)[0] for item in requirements if isinstance(item, str)
    }


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_has_its_hash(lock: str) -> None:
    """What pip installs from a lock is what was locked, byte for byte."""
    assert [name for name, rest in _entries(lock).items() if "--hash=sha256:" not in rest] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_of_ours_names_a_host(lock: str) -> None:
    """A lock works with whatever index pip is set up for."""
    assert (
        re.findall(r".*(?:://|--index|--extra-index|--find-links|@ ).*", (ROOT / lock).read_text())
        == []
    )


def test_the_lock_of_npm_names_no_host() -> None:
    """npm asks the registry that it is set up for, and checks what it gets by its hash."""
    packages = json.loads(NPM_LOCK.read_text())["packages"]
    named = [name for name, package in packages.items() if "resolved" in package]
    unchecked = [name for name, package in packages.items() if name and "integrity" not in package]
    assert (named, unchecked) == ([], [])


def test_what_runs_is_what_was_tested() -> None:
    """The lock for running is a part of the lock for development, version by version."""
    run, dev = (_entries(lock) for lock in LOCKS)
    assert {name: rest for name, rest in run.items() if dev.get(name) != rest} == {}


def test_the_locks_have_what_the_project_asks_for() -> None:
    """A dependency that was added without `make lock` is missed here, not on a fresh machine."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    dependencies = _names(project["project"]["dependencies"])
    extras = _names([*chain.from_iterable(project["project"]["optional-dependencies"].values())])
    groups = {name: _names(group) for name, group in project["dependency-groups"].items()}
    assert dependencies | groups["build"] <= _entries("requirements/run.txt").keys()
    everything = dependencies | extras | groups["build"] | groups["dev"]
    assert everything <= _entries("requirements/dev.txt").keys()
