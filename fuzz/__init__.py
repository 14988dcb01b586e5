"""Targets for Atheris, which looks for inputs that reach new branches: `python -m fuzz token -max_total_time=60`."""
