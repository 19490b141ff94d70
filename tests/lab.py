"""A JupyterLab of its own for the tests of what a notebook shows; see test_explore_in_lab.py."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
READY = 120
TOKEN = "tests"


class Lab:
    """A JupyterLab on a free port, which serves one folder and knows nothing of its user."""

    def __init__(self, folder):
        pytest.importorskip("jupyterlab", reason="jupyterlab is not installed")
        pytest.importorskip("anywidget", reason="anywidget is not installed")
        home = folder / "home"
        home.mkdir()
        settings = {
            "HOME": str(home),
            "JUPYTER_CONFIG_DIR": str(home / "config"),
            "JUPYTER_DATA_DIR": str(home / "data"),
            "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
        }
        command = [
            *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
            *(
                "--ServerApp.ip=127.0.0.1",
                "--ServerApp.port=0",
                f"--IdentityProvider.token={TOKEN}",
            ),
            *("--ServerApp.password=", "--LabApp.expose_app_in_browser=True"),
            f"--ServerApp.root_dir={folder}",
        ]
        self.log = (folder / "lab.log").open("w")
        self.process = subprocess.Popen(
            command,
            env=os.environ | settings,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            cwd=folder,
            start_new_session=True,
        )
        self.address = self._address(home / "runtime")

    def _address(self, runtime):
        """The address that the server writes down when it listens."""
        end = time.monotonic() + READY
        while time.monotonic() < end and self.process.poll() is None:
            for path in runtime.glob("jpserver-*.json"):
                text = path.read_text()
                if text.endswith("}"):
                    return json.loads(text)["url"]
            time.sleep(0.1)
        self.close()
        raise AssertionError(f"JupyterLab did not start: {Path(self.log.name).read_text()[-2000:]}")

    def ask(self, path, method="GET"):
        """Ask the server's REST API."""
        headers = {"Authorization": f"token {TOKEN}"}
        request = urllib.request.Request(f"{self.address}api/{path}", None, headers, method=method)
        with urllib.request.urlopen(request, timeout=20) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def close(self):
        """End the server with its kernels."""
        if self.process.poll() is None:
            for kernel in self.ask("kernels") if hasattr(self, "address") else []:
                self.ask(f"kernels/{kernel['id']}", "DELETE")
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(20)
        self.log.close()


def write_notebook(path, *cells):
    """Write a notebook of code cells."""
    sources = [
        {
            "cell_type": "code",
            "id": f"cell{number}",
            "execution_count": None,
            "metadata": {},
            "outputs": [],
            "source": source,
        }
        for number, source in enumerate(cells)
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {
        "cells": sources,
        "metadata": {"kernelspec": kernel},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.write_text(json.dumps(notebook), encoding="utf-8")
