"""`python -m careline`."""

from careline.cli import main

main()
