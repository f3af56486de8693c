"""`python -m tests.support.worker SECONDS`: the real worker, with a lease that tests can wait for."""

import asyncio
import sys
from datetime import timedelta

from app import logging
from app.config import Settings
from app.db import Database
from app.webhooks import process
from app.webhooks.worker import Worker

settings = Settings.from_environment()
logging.configure(settings.log_level)
asyncio.run(process.work(Worker(settings, Database(settings), lease=timedelta(seconds=float(sys.argv[1])))))
