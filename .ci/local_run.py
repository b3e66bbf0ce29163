"""A local run for the scripts of this folder that verify it with public libraries."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
TIMEOUT = 60


def request(url, body=None, key=None, method=None):
    """Sends a JSON request and returns the JSON response. `key` is a bearer token."""
    headers = {"content-type": "application/json"}
    if key:
        headers["authorization"] = f"Bearer {key}"
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, data, headers, method=method), timeout=TIMEOUT
        ) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        raise SystemExit(f"{url} responded {error.code}: {error.read().decode()}") from None


@contextlib.contextmanager
def start(*options):
    """Starts a local run with these options on free ports and yields the content of its ready file. Prints its output if a check fails."""
    with tempfile.TemporaryDirectory() as folder:
        ready_file, log = pathlib.Path(folder, "ready.json"), pathlib.Path(folder, "log")
        command = [
            "cargo",
            "run",
            "--quiet",
            "--locked",
            "-p",
            "local",
            "--",
            "--port",
            "0",
            "--ready-file",
            ready_file,
            *options,
        ]
        with open(log, "wb") as output:
            local = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output, start_new_session=True)
        try:
            while not ready_file.exists():
                if local.poll() is not None:
                    raise SystemExit(f"the local run ended:\n{log.read_text()}")
                time.sleep(0.1)
            yield json.loads(ready_file.read_text())
        except BaseException:
            sys.stderr.write(log.read_text()[-10000:])
            raise
        finally:
            os.killpg(local.pid, signal.SIGTERM)
            local.wait()
