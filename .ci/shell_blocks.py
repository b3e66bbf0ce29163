"""The shell commands of a documentation page, which the scripts of this folder run as they are printed."""

import re
import subprocess

import local_run

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def of(page):
    """Returns the content of the page's `sh` blocks, in order."""
    return [code for language, code in FENCE.findall(page.read_text()) if language == "sh"]


def with_output(page):
    """Returns the content of the page's `sh` blocks, in order, each with the output that the page prints below it."""
    blocks = FENCE.findall(page.read_text())
    following = [*blocks[1:], ("", "")]
    is_output = {"json", "text"}
    return [
        (code, output if kind in is_output else "")
        for (language, code), (kind, output) in zip(blocks, following, strict=True)
        if language == "sh"
    ]


def at(code, ready):
    """Returns the code with the addresses of a local run instead of the default ones."""
    return code.replace("http://127.0.0.1:8787", ready["api"]).replace("http://127.0.0.1:8788", ready["whatsapp"])


def run(code, environment):
    """Runs code in the repository's root folder. Returns its output, and ends the process if a command fails."""
    command = ["bash", "-euo", "pipefail", "-c", code]
    result = subprocess.run(command, cwd=local_run.ROOT, env=environment, capture_output=True, text=True)
    if result.returncode != 0:
        raise SystemExit(f"{code}\nended with status {result.returncode}:\n{result.stdout}{result.stderr}")
    return result.stdout
