"""Reads FuriosaAI NPUs from a devfs root and a sysfs root. Knows no Kubernetes.

`cards.read_cards(Roots(...))` gives a `Reading` per card; the value types stand in `reading`.
"""
