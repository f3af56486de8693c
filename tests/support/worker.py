"""`python -m tests.support.worker LEASE DEADLINE`: the real worker, with the lease and the deadline of a test."""

import asyncio
import sys
from datetime import timedelta

from app import logs
from app.config import Settings
from app.db import Database
from app.delivery import process
from app.delivery.sealer import Sealer
from app.delivery.worker import Worker

settings = Settings.from_environment()
lease, deadline = (float(argument) for argument in sys.argv[1:])
logs.configure(settings.log_level)
database = Database(settings)
worker = Worker(settings, database, lease=timedelta(seconds=lease), deadline_seconds=deadline)
asyncio.run(process.work(worker, Sealer(database)))
