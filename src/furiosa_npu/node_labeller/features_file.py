"""`--publish=features.d`: a file of labels for nfd-worker's `local` source (Node Feature Discovery, source/local).

It is asked by the same requests as an API server, answered at once: GET, PUT and DELETE of a path. nfd-worker reads,
when something in the folder changes, each file whose name does not begin with a dot, a label a line.
"""

from furiosa_npu.cdi import spec_file
from furiosa_npu.cluster.api import Answer, ApiRequest
from furiosa_npu.node_labeller.board import Standing
from furiosa_npu.node_labeller.labels import Labels

NAME = "furiosa-npu"

_HEAD = "# furiosa-npu-labeller writes this file, and nobody else.\n"


class FeaturesFile:
    """A board: all that is in the file is the labeller's, and without a label there is no file."""

    def __init__(self, folder: str) -> None:
        self._path = f"{folder}/{NAME}"

    @property
    def where(self) -> str:
        return self._path

    def read(self) -> ApiRequest:
        return ApiRequest("GET", self._path)

    def write(self, changes: Labels, standing: Standing) -> ApiRequest:
        labels = {name: value for name, value in ({**standing.labels, **changes}).items() if value is not None}
        if not labels:
            return ApiRequest("DELETE", self._path)
        return ApiRequest("PUT", self._path, body=_HEAD + "".join(f"{n}={labels[n]}\n" for n in sorted(labels)))

    def standing(self, request: ApiRequest, answer: Answer) -> Standing:
        if answer.error is not None:
            raise ValueError(answer.error)
        labels = parse(answer.body) if isinstance(answer.body, str) else {}
        return Standing(labels, frozenset(labels))


def parse(text: str) -> dict[str, str]:
    """As nfd-worker reads it: `name=value`, `name` alone is true, what begins with # is none."""
    lines = [line.strip() for line in text.splitlines()]
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    return {name: value if equals else "true" for name, equals, value in pairs}


def ask(request: ApiRequest) -> Answer:
    """Does it, in one step. The answer's body is the file's text then; None: there is none."""
    try:
        if request.method == "PUT":
            spec_file.write(request.path, request.body or "")
        elif request.method == "DELETE":
            spec_file.remove(request.path)
        return Answer(200, spec_file.read(request.path), None)
    except spec_file.SpecFileError as error:
        return Answer(None, None, f"{error}; it is Node Feature Discovery's folder")
