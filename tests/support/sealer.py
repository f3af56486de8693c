"""`python -m tests.support.sealer`: the real sealer, which seals everything without pauses."""

import asyncio
from datetime import timedelta

from app import logs
from app.config import Settings
from app.db import Database
from app.delivery.sealer import Sealer

settings = Settings.from_environment()
logs.configure(settings.log_level)
asyncio.run(Sealer(Database(settings), settling=timedelta(0), busy_seconds=0, idle_seconds=0).run(asyncio.Event()))
