"""``python -m tinyslim`` is the command ``tinyslim``."""

from tinyslim.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
