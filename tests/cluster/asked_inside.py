"""Asks the API server from inside an agent's container, with the pod's own token.

Runs alone (`python3.11 -I -`, this text on its standard input). Its argument is a JSON list of requests [method, path,
content type, body]; its output a JSON list of answers [status, message].
"""

import http.client
import json
import os
import ssl
import sys

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


def main() -> None:
    with open(f"{ACCOUNT}/token") as file:
        token = file.read()
    context = ssl.create_default_context(cafile=f"{ACCOUNT}/ca.crt")
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], int(os.environ["KUBERNETES_SERVICE_PORT"])
    answers = []
    for method, path, content_type, body in json.loads(sys.argv[1]):
        connection = http.client.HTTPSConnection(host, port, context=context, timeout=10)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": content_type}
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        told = json.loads(answer.read())
        answers.append([answer.status, told.get("message", "") if told.get("kind") == "Status" else ""])
        connection.close()
    print(json.dumps(answers))


main()
