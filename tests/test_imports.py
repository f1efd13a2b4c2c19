"""Importing reaches for no network, whichever module it is."""

import os
import subprocess
import sys

import pytest

from dynode.runtime import ROOT

ALL_WITHOUT_NETWORK = """
import importlib, pkgutil, socket

def refuse(*_, **__):
    raise SystemExit("an import reaches for the network")

socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
import dynode

modules = [each.name for each in pkgutil.walk_packages(dynode.__path__, "dynode.") if not each.name.endswith("__main__")]
for name in modules:
    importlib.import_module(name)
print(len(modules))
"""


@pytest.mark.long
def test_no_import_reaches_for_the_network():
    variables = os.environ | {"PYTHONWARNINGS": "error::SyntaxWarning"}
    command = [sys.executable, "-c", ALL_WITHOUT_NETWORK]
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 200
