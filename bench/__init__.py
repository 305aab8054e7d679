"""Benchmarks: each `python -m bench.<name>` prints one JSON object and fails when a goal is missed."""
