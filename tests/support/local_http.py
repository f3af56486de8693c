"""HTTP clients for servers on this machine. They read no certificates, which would take 20 ms for each client."""

import ssl
from functools import partial

import httpx

NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # servers of tests have no TLS

client = partial(httpx.Client, verify=NO_CERTIFICATES)
request = partial(httpx.request, verify=NO_CERTIFICATES)
get = partial(httpx.get, verify=NO_CERTIFICATES)
post = partial(httpx.post, verify=NO_CERTIFICATES)
patch = partial(httpx.patch, verify=NO_CERTIFICATES)
delete = partial(httpx.delete, verify=NO_CERTIFICATES)
head = partial(httpx.head, verify=NO_CERTIFICATES)
options = partial(httpx.options, verify=NO_CERTIFICATES)
