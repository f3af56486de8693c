"""`python -m app.cli` is the `distribu` command where nothing is installed."""

from app.cli import main

main()
