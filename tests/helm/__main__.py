"""Writes the plain manifests anew from the chart, and its copies of others' files: `python -m tests.helm`."""

from tests.helm.rendering import deployments

for file, text in deployments():
    file.write_text(text, encoding="utf-8")
    print(file)
