"""``python -m audiointerp`` is the command ``audiointerp``."""

from .cli import main

if __name__ == "__main__":
    main()
