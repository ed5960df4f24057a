"""The nodes' allocatable for Prometheus, in kube-state-metrics' words: `node_status_page.py PORT KUBECONFIG`.

Runs alone on a made-up host, and asks the API server anew at each scrape: imports nothing of the tests.
"""

import json
import re
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


def page(nodes: str) -> str:
    """From `kubectl get nodes --output=json`."""
    lines = []
    for node in json.loads(nodes)["items"]:
        for resource, quantity in node["status"]["allocatable"].items():
            if quantity.isdecimal():
                word = re.sub(r"\W", "_", resource)
                where = f'node="{node["metadata"]["name"]}",resource="{word}"'
                lines.append(f"kube_node_status_allocatable{{{where}}} {quantity}\n")
    return "".join(lines)


def main() -> None:
    port, kubeconfig = sys.argv[1:]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            words = ["kubectl", f"--kubeconfig={kubeconfig}", "get", "nodes", "--output=json"]
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            self.send_response(200 if done.returncode == 0 else 500)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write((page(done.stdout) if done.returncode == 0 else done.stderr).encode())

    HTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()


if __name__ == "__main__":
    main()
