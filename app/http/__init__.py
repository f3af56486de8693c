"""Everything that knows ASGI, Connexion or Flask."""

import warnings

# Connexion imports Starlette's test client, which recommends another HTTP client to those who test with it.
warnings.filterwarnings("ignore", message="Using `httpx` with `starlette.testclient` is deprecated")
