"""Serve with a time of day that a test can set: seconds to add to it stand in the file that CLOCK_OFFSET names."""

import os
import time
from pathlib import Path

from app.cli import main

OFFSET = Path(os.environ["CLOCK_OFFSET"])
real = time.time
time.time = lambda: real() + float(OFFSET.read_text())

main()
