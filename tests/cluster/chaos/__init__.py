"""Chaos on a real cluster: seeded faults while pods come and go, judged from outside against the product's promises."""
