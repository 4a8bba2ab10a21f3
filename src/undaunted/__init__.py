"""Runs a task on one coding agent after another until it is done."""

__version__ = "0.1.0.dev0"
