"""`distribu` with a clock that a test can set: the file that CLOCK_OFFSET names has the seconds to add to it."""

import os
import time
from pathlib import Path

from app.cli import main

OFFSET = Path(os.environ["CLOCK_OFFSET"])
real = time.time
time.time = lambda: real() + float(OFFSET.read_text())

main()
