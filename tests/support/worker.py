"""`python -m tests.support.worker LEASE DEADLINE`: the real worker, with a lease and a deadline as tests want them."""

import asyncio
import sys
from datetime import timedelta

from app import logging
from app.config import Settings
from app.db import Database
from app.webhooks import process
from app.webhooks.worker import Worker

settings = Settings.from_environment()
lease, deadline = (float(each) for each in sys.argv[1:])
logging.configure(settings.log_level)
worker = Worker(settings, Database(settings), lease=timedelta(seconds=lease), deadline_seconds=deadline)
asyncio.run(process.work(worker))
