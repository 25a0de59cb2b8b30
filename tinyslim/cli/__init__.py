"""The command line: ``tinyslim COMMAND …``, the same as ``python -m tinyslim COMMAND …``."""

from .main import main

__all__ = ["main"]
