"""The wheel, as somebody installs it who has nothing else."""

import os
import pathlib
import subprocess
import sys

import pytest


@pytest.mark.skipif("LOGBUS_WHEELS" not in os.environ, reason="no wheel was built for this run")
def test_a_wheel_works_in_an_empty_environment(wire, tmp_path):
    (wheel,) = pathlib.Path(os.environ["LOGBUS_WHEELS"]).glob("*.whl")
    assert "-abi3-manylinux" in wheel.name
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv/bin/python"
    install = [python, "-m", "pip", "install", "--quiet", "--no-index", wheel]
    subprocess.run(install, check=True, cwd=tmp_path)
    code = "import logging, logbus; logging.basicConfig(handlers=[logbus.Handler()]); logging.error('x')"
    environment = {**os.environ, "LOGBUS_ENDPOINT": wire.endpoint}
    subprocess.run([python, "-c", code], check=True, cwd=tmp_path, env=environment)
    assert wire.record()["message"] == "x"
    native = {path.name.split("-")[0] for path in (tmp_path / "venv").rglob("logbus.libs/*.so*")}
    assert {"libzmq", "libnng"} <= native
    assert (next((tmp_path / "venv").rglob("logbus")) / "py.typed").exists()
