"""The reports, one module per operation (contract, section 7)."""
