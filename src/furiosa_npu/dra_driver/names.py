"""The names that Kubernetes knows the driver by."""

DRIVER = "npu.furiosa.ai"

DRIVER_TWICE = "NPUDriverTwice"
"""reason of the event about a node where two drivers of this name are"""
