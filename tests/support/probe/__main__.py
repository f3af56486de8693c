"""Serve the probe document with the real `app/http`."""

import socket
from pathlib import Path

import uvicorn
import yaml

from app import logs
from app.config import Settings
from app.db import Database
from app.http.protocol import EdgeProtocol
from app.http.server import create_app

settings = Settings.from_environment()
logs.configure(settings.log_level)
document = yaml.safe_load(Path(__file__).with_name("openapi.yaml").read_text())
app = create_app(settings, Database(settings), document=document, handlers="tests.support.probe")
listening = socket.create_server((settings.host, settings.port))
config = uvicorn.Config(app, http=EdgeProtocol, lifespan="on", log_config=None, access_log=False, server_header=False)
uvicorn.Server(config).run(sockets=[listening])
