"""The build: one module a stage, run as ``python3 -m tools VERB``."""
