"""Rehearsals: simulated agents and a model API that fails on purpose."""
