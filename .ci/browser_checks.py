"""Runs a Node program that drives Chromium, and prints the results of its checks."""

import json
import os
import signal
import subprocess

import node_packages


class Results:
    """Counts and prints the results of checks."""

    def __init__(self):
        self.passed = self.failed = 0

    def add(self, check, error):
        if error is None:
            self.passed += 1
            print(f"pass  {check}", flush=True)
        else:
            self.failed += 1
            print(f"FAIL  {check}: {error}", flush=True)

    def end(self, name):
        """Prints the counts. Ends the process with an error if a check failed."""
        print(f"{name}: {self.passed} passed, {self.failed} failed")
        if self.failed:
            raise SystemExit(1)


def drive(program, settings, results):
    """Runs the program that drives the browser, and adds the results that it reports."""
    command = [node_packages.NODE, program, json.dumps(settings)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        for text in process.stdout:
            line = json.loads(text)
            if "check" in line:
                results.add(line["check"], line["error"])
            else:
                print(f"      {line['measured']}", flush=True)
        status = process.wait()
    finally:
        if process.poll() is None:
            # Chromium ends with the program.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if status != 0:
        results.add("run of the browser", f"the program ended with status {status}")
