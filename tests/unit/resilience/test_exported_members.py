from __future__ import annotations

import importlib
import pkgutil

import pytest

from undaunted import resilience

# Parts that the policies are made of, and nobody else's.
INTERNAL = {
    "undaunted.resilience.breaker.circuit": {"Circuit", "Closed", "HalfOpen", "Open", "State"},
    "undaunted.resilience.limit": {"limited", "positive_seconds"},
}

MODULES = sorted(
    module.name for module in pkgutil.walk_packages(resilience.__path__, "undaunted.resilience.")
)


def key(name: str) -> tuple[bool, bool, str]:
    """Constants, then classes, then functions, each by name: the order that ruff keeps."""
    return (not name.isupper(), name[0].islower(), name)


@pytest.mark.parametrize("name", MODULES)
def test_what_a_module_exports_the_package_exports(name: str) -> None:
    """Every module's public names are importable from the package, or listed as internal."""
    exported = set(importlib.import_module(name).__all__)
    internal = INTERNAL.get(name, set())
    assert internal <= exported
    assert exported - internal <= set(resilience.__all__)


def test_the_package_exports_what_it_says_in_order() -> None:
    """`__all__` is sorted, complete and true."""
    assert resilience.__all__ == sorted(resilience.__all__, key=key)
    assert all(hasattr(resilience, name) for name in resilience.__all__)
    homes = set().union(*(importlib.import_module(name).__all__ for name in MODULES))
    assert set(resilience.__all__) <= homes
