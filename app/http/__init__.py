"""Everything that knows ASGI, Connexion or Flask."""

import warnings

# Connexion imports Starlette's test client, which warns that another HTTP client is recommended for tests.
warnings.filterwarnings("ignore", message="Using `httpx` with `starlette.testclient` is deprecated")
