"""`python -m zerogate`."""

from zerogate.cli import main

main()
