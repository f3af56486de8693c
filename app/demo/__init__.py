"""The demo company: its catalogue, its customers, its orders, and the volume that benchmarks need."""
