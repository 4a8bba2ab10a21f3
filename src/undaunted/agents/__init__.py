"""Agents: one file each, and the one spawner of processes."""
