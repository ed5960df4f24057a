"""etcd, API server, controller manager and scheduler, on a host of their own."""

from collections.abc import Sequence
from pathlib import Path

from tests.cluster.certificates import Authority
from tests.cluster.hosts import Host, Program
from tests.cluster.network import API_PORT, API_SERVICE, CONTROL_PLANE, SERVICES

_ETCD = "http://127.0.0.1:2379"


class ControlPlane:
    """Starts what serves the API and keeps the controllers' promises."""

    def __init__(self, host: Host, authority: Authority, logs: Path, closed_gates: Sequence[str] = ()) -> None:
        """`closed_gates`: feature gates that are shut for all of its programs."""
        self.host = host
        self.server = f"https://{CONTROL_PLANE}:{API_PORT}"
        self._authority = authority
        gates = [f"--feature-gates={','.join(f'{gate}=false' for gate in closed_gates)}"] if closed_gates else []
        argvs = {
            "etcd": ["etcd", "--data-dir=/run/etcd", "--log-level=warn", "--logger=zap"],
            "kube-apiserver": [*self._api_server(), *gates],
            "kube-controller-manager": [*self._controller_manager(), *gates],
            "kube-scheduler": [*self._scheduler(), *gates],
        }
        self.programs = [Program(host, name, argv, logs / f"{name}.log") for name, argv in argvs.items()]

    def start(self) -> None:
        """Starts what serves the API, which answers some seconds later."""
        for program in self.programs[:2]:
            program.start()

    def start_controllers(self) -> None:
        """Once the API is served: the controller manager ends for good where it finds none within ten seconds
        (cmd/kube-controller-manager/app/controllermanager.go, WaitForAPIServer).
        """
        for program in self.programs[2:]:
            program.start()

    def _api_server(self) -> list[str]:
        names = f"DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,IP:{API_SERVICE},IP:{CONTROL_PLANE}"
        certificate, key = self._authority.server("kube-apiserver", names)
        to_kubelets, key_to_kubelets = self._authority.client("kubelet-client", "kube-apiserver", "system:masters")
        signing, verifying = self._authority.key_pair("service-accounts")
        return [
            "kube-apiserver",
            f"--etcd-servers={_ETCD}",
            f"--advertise-address={CONTROL_PLANE}",
            f"--secure-port={API_PORT}",
            f"--service-cluster-ip-range={SERVICES}",
            f"--client-ca-file={self._authority.certificate}",
            f"--tls-cert-file={certificate}",
            f"--tls-private-key-file={key}",
            f"--kubelet-client-certificate={to_kubelets}",
            f"--kubelet-client-key={key_to_kubelets}",
            "--kubelet-preferred-address-types=InternalIP",  # exec and logs: node names are in no DNS here
            f"--service-account-signing-key-file={signing}",
            f"--service-account-key-file={verifying}",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=false",  # nothing that is tested here may want it
            "--cert-dir=/run/kube-apiserver",
        ]

    def _controller_manager(self) -> list[str]:
        kubeconfig = self._kubeconfig("kube-controller-manager")
        return [
            "kube-controller-manager",
            f"--kubeconfig={kubeconfig}",
            f"--root-ca-file={self._authority.certificate}",
            f"--service-account-private-key-file={self._authority.folder / 'service-accounts.key'}",
            "--use-service-account-credentials=true",
            "--leader-elect=false",
            "--cert-dir=/run/kube-controller-manager",
        ]

    def _scheduler(self) -> list[str]:
        kubeconfig = self._kubeconfig("kube-scheduler")
        return [
            "kube-scheduler",
            f"--kubeconfig={kubeconfig}",
            "--leader-elect=false",
            "--cert-dir=/run/kube-scheduler",
        ]

    def _kubeconfig(self, name: str) -> Path:
        return self._authority.kubeconfig(name, self.server, f"system:{name}")
