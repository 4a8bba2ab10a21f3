"""The settings file that Gemini CLI is given: the machine's own, with ours on top.

Source: recorded with 0.61.0; `docs/agents/gemini.md`.
"""

from __future__ import annotations

import json
import stat
from pathlib import Path

from undaunted.agents.cli_agent import INNER_RETRIES
from undaunted.agents.reader import JsonObject, as_object

__all__ = ["merged_settings", "open_to_others", "read_settings"]


def read_settings(path: Path) -> JsonObject:
    """The settings in the file `path`; none where there is no such file, or no JSON in it."""
    try:
        return as_object(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError):
        return {}  # mostly there is none; of one that is no JSON the program itself complains


def merged_settings(
    settings: JsonObject, *, excluded_tools: tuple[str, ...] = (), selected_type: str = ""
) -> JsonObject:
    """`settings` with few retries, no update of itself, and without some tools.

    Args:
        settings: The machine's own.
        excluded_tools: Names of tools that the agent is not to have, on top of those in `settings`.
        selected_type: The way of logging in; empty leaves what the person chose.
    """
    # The first request counts as an attempt.
    ours = {"maxAttempts": INNER_RETRIES + 1, "enableAutoUpdate": False}
    merged = {**settings, "general": {**as_object(settings.get("general")), **ours}}
    if excluded_tools:
        tools = as_object(settings.get("tools"))
        theirs = tools.get("exclude")
        excluded = [*(theirs if isinstance(theirs, list) else []), *excluded_tools]
        merged["tools"] = {**tools, "exclude": excluded}
    if selected_type:
        security = as_object(settings.get("security"))
        auth = {**as_object(security.get("auth")), "selectedType": selected_type}
        merged["security"] = {**security, "auth": auth}
    return merged


def open_to_others(folder: Path) -> Path | None:
    """The nearest folder above `folder` that group or others may write to, if there is one."""
    for parent in folder.parents:
        try:
            if parent.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                return parent
        except OSError:
            continue  # not made yet: we make it for the person alone
    return None
