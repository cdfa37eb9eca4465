"""`python -m runtime` is the `locator` command."""

import sys

from runtime.cli import main

if __name__ == "__main__":
    sys.exit(main())
