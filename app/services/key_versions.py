"""The version of an API key, whose status changes with the time (contract, sections 9.2 and 9.6)."""

from sqlalchemy import bindparam, case

from app.queries import tenant
from app.schemas.api_keys import API_KEY
from app.services import keys
from app.services.versions import Version

HAS_EXPIRED = keys.IS_NOT_REVOKED & (keys.TABLE.c.expires_at <= bindparam("now", type_=keys.TABLE.c.expires_at.type))
VERSION = Version(
    sql=tenant.select(*(keys.TABLE.c[name] for name in API_KEY.version), case((HAS_EXPIRED, 1), else_=0)).where(
        keys.TABLE.c.id == bindparam("id")
    ),
    tag=lambda rows: API_KEY.tag_of(rows[0]),
)
