"""`python -m postroad.cli`, where the `postroad` script is not on the path."""

from postroad.cli import main

main()
