"""Commands of the documents' pages, as they stand there, and what of their answers the pages tell (a pattern)."""

from tests.cluster.pods import ALPHA

CARD = r"\([0-9A-F-]{36}\)"
VERSION = "kubectl version"
AGENTS_OF_A_NODE = (
    "kubectl -n kube-system get pods -l app.kubernetes.io/part-of=furiosa-npu "
    "--field-selector spec.nodeName=warboy-node01"
)
LOOKS = {
    "kubectl describe pod npu-pod": rf"Warning +FailedScheduling .* 0/3 nodes are available: .*Insufficient {ALPHA}",
    "kubectl describe node warboy-node01": (
        rf"  FuriosaNPUHealthy +False .* NotAlive .*npu1 {CARD} failed: (?s:.*)\nAllocated resources:\n"
    ),
    "kubectl -n kube-system exec ds/furiosa-npu-plugin -- furiosa-npu-plugin status": (
        r"^NAME +UUID +STATE +REASON +SINCE +POD +CONTAINER\nnpu0 .*\nnpu1 .*\n\Z"
    ),
    "kubectl -n kube-system logs ds/furiosa-npu-plugin": "registered with the kubelet",
    "kubectl -n kube-system logs ds/furiosa-npu-labeller": r"\S",
    "kubectl get nodes -L alpha.furiosa.ai/npu.family": r"^NAME .* NPU\.FAMILY\n(?s:.*)warboy-node01 .* warboy\n",
    "kubectl get node warboy-node01 -o jsonpath='{.status.allocatable}'": rf'"{ALPHA}":"0"',
    "kubectl -n kube-system get pods -o wide": r"^furiosa-npu-plugin-\w+ +1/1 +Running .* warboy-node01 ",
    AGENTS_OF_A_NODE: r"^furiosa-npu-labeller-\w+ +1/1 +Running .*\nfuriosa-npu-plugin-\w+ +1/1 +Running .*\n\Z",
    "kubectl get pods -n kube-system": r"^furiosa-npu-labeller-\w+ +1/1 +Running ",
    "kubectl get events -n kube-system": r" SuccessfulCreate +daemonset/furiosa-npu-labeller ",
    "kubectl get events -A --field-selector reason=NPUFailed": (
        rf"Warning +NPUFailed +node/warboy-node01 +npu1 {CARD} has failed: not alive: "
    ),
    "kubectl get events -A --field-selector reason=NPUOccupied": (
        rf"Warning +NPUOccupied +node/warboy-node01 +npu0 {CARD} is occupied: "
    ),
    "kubectl get nodes": r"^NAME +STATUS +ROLES +AGE +VERSION\n",
    VERSION: "Server Version: ",
}
"""command to what it prints where a card has failed, one is in use by a stranger, and a pod waits"""
REFUSED = "kubectl get pod npu-pod -o jsonpath='{.status.message}'"
_MORE_LABELS = "cd kubernetes/components/more-labels && kubectl patch"
_STARTUP_TAINT = "cd kubernetes/components/startup-taint && kubectl patch"
CHANGES = (
    f"{_MORE_LABELS} daemonset furiosa-npu-labeller -n kube-system --type=json --patch-file=labeller.yaml",
    f"{_STARTUP_TAINT} clusterrole furiosa-npu-plugin --type=json --patch-file=right.yaml",
    f"{_STARTUP_TAINT} daemonset furiosa-npu-plugin -n kube-system --type=json --patch-file=option.yaml",
    "kubectl delete -f kubernetes/deployments/device-plugin.yaml",
    "kubectl delete daemonset -n kube-system furiosa-npu-labeller furiosa-npu-plugin",
)
"""what other tests do in earnest, with the same files and names"""
POLICIES = "kubectl apply -f kubernetes/deployments/admission-policies.yaml"
NOTHING_OF_DRA = (
    "kubectl get deviceclasses npu.furiosa.ai --ignore-not-found",
    "kubectl get resourceslices --field-selector spec.driver=npu.furiosa.ai",
)
_STATUS = r"^NAME +UUID +STATE +REASON +SINCE +POD +CONTAINER\n(.+\n){6}\Z"
"""two cards, each of two parts"""
DRA_LOOKS = {
    "kubectl get resourceslices --field-selector spec.driver=npu.furiosa.ai": (
        r" warboy-node01 +npu\.furiosa\.ai (?s:.*) warboy-node02 +npu\.furiosa\.ai "
    ),
    "kubectl get resourceslices --field-selector spec.driver=npu.furiosa.ai,spec.nodeName=NODE -o yaml": (
        r"^ +driver: npu\.furiosa\.ai$"
    ),
    "kubectl -n kube-system exec ds/furiosa-npu-dra-driver -- furiosa-npu-dra-driver status": _STATUS,
    "kubectl exec -n kube-system POD -- furiosa-npu-dra-driver status": _STATUS,
    "kubectl get resourceclaims": r"^npu-pod-.* allocated,reserved ",
    "kubectl get resourceclaims -o yaml": r"^ +deviceFiles:$",
}
"""command to what it prints where a pod has a card"""
ASK_AGAIN = (
    "kubectl annotate pod npu-pod --overwrite look=$(date +%s)",
    "kubectl annotate pod POD --overwrite look=$(date +%s)",
)
EMPTYING = (
    "kubectl cordon NODE",
    "kubectl drain NODE --ignore-daemonsets",
    "kubectl uncordon NODE",
    "kubectl label node NODE beta.furiosa.ai/npu.count-",
    "kubectl delete daemonset -n kube-system furiosa-device-plugin furiosa-npu-feature-discovery",
)
"""a node, and the vendor's agents of all"""
FUSER = "fuser -v /dev/npu0*"
NOT_PUBLISHED = "kubectl get events -A --field-selector reason=NPUsNotPublished"

_UPGRADE = "helm upgrade furiosa-npu kubernetes/charts/furiosa-npu --namespace kube-system --reset-then-reuse-values"
TAKE_DRA = f"{_UPGRADE} --set plane=dra"
RETIRE_DRA = f"{_UPGRADE} --set plane=device-plugin --set dra.retire=true"
END_DRA = f"{_UPGRADE} --set dra.retire=false"
MONITOR = f"{_UPGRADE} --set monitoring.podMonitor=true,monitoring.prometheusRule=true,monitoring.dashboard=true"
HISTORY = "helm history furiosa-npu --namespace kube-system"
ROLLBACK = "helm rollback furiosa-npu REVISION --namespace kube-system"
LIST_RELEASES = "helm list -A"
DESCRIBE_CHECK = "kubectl describe job -n kube-system furiosa-npu-check"
SWEEPS_LOG = "kubectl logs -n kube-system job/furiosa-npu-sweep-cluster"
DELETE_HOOKS = (
    "kubectl delete daemonset,job,pod,serviceaccount,role,rolebinding,clusterrole,clusterrolebinding "
    "--namespace kube-system --selector app.kubernetes.io/component=chart-hook"
)
DELETE_SWEEP = "kubectl delete job -n kube-system furiosa-npu-sweep-cluster"
DELETE_TEST = "kubectl -n kube-system delete pod furiosa-npu-test"
DELETE_AWAIT = "kubectl delete job -n kube-system furiosa-npu-await-nodes"
