"""Run the `distribu` command with `python -m app.cli`, without installing it."""

from app.cli import main

main()
