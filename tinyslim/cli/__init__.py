"""The command line: ``tinyslim COMMAND …``, the same as ``python -m tinyslim COMMAND …``."""

from .command_line import main

__all__ = ["main"]
