"""The DRA driver: cards and their PEs as devices of resource.k8s.io/v1, prepared claim by claim."""
