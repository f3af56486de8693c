"""How rows are asked for: the tenant filter, lists, search."""
