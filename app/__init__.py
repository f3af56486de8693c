"""Distribu: an OpenAPI-first REST API server for wholesale distributors."""

__version__ = "0.1.0"
