"""The names that Kubernetes knows the driver by."""

DRIVER = "npu.furiosa.ai"
