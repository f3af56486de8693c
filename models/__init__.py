"""Tables, constraints and the invariants of one row. Imports nothing else of this project."""

from models.api_key import ApiKey, KeyStatus, Scope
from models.base import Base, new_id
from models.company import Company
from models.product import Product, searchable

__all__ = ["ApiKey", "Base", "Company", "KeyStatus", "Product", "Scope", "new_id", "searchable"]
