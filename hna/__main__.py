"""`python -m hna` is the command line."""

from hna.cli import main

main()
