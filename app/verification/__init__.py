"""Checks of what must always hold in the database (contract, section 11): `distribu verify`.

To add a check, write a module with a `check.Check` and list it in `app/verification/checks.py`.
"""
