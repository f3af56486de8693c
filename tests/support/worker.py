"""`python -m tests.support.worker LEASE DEADLINE`: the real worker, with a lease and a deadline as tests want them."""

import asyncio
import sys
from datetime import timedelta

from app import logs
from app.config import Settings
from app.db import Database
from app.delivery import process
from app.delivery.worker import Worker

settings = Settings.from_environment()
lease, deadline = (float(each) for each in sys.argv[1:])
logs.configure(settings.log_level)
worker = Worker(settings, Database(settings), lease=timedelta(seconds=lease), deadline_seconds=deadline)
asyncio.run(process.work(worker))
