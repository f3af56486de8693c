"""How rows are queried: the tenant filter, typed rows, lists, search."""
