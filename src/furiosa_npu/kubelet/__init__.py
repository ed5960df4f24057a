"""The kubelet's protocols: device plugin v1beta1, pod-resources v1, plugin registration v1, DRA v1 and its resource health.
Knows no NPU."""
