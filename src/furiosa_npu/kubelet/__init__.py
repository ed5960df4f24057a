"""The kubelet's protocols: device plugins, pod-resources, plugin registration, DRA and its health. Knows no NPU."""
