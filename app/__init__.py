"""Distribu: an OpenAPI-first REST API server for wholesale distributors."""
