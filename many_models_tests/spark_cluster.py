"""A real standalone Spark cluster on loopback, from the pip package alone."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pyspark

WORKERS = 2
SECONDS_TO_START = 60


@contextmanager
def standalone_cluster(folder: Path) -> Iterator[str]:
    """URL of a master with two workers of one core each; logs and work go to ``folder``."""
    with ExitStack() as running:
        deploy = "org.apache.spark.deploy"
        address = ["--host", "127.0.0.1", "--port", "0", "--webui-port", "0"]
        log = running.enter_context(_started(folder, "master", f"{deploy}.master.Master", address))
        url = _wait_for(r"Starting Spark master at (spark://\S+)", log)[0]
        for number in range(WORKERS):
            place = ["--cores", "1", "--memory", "1g", "--work-dir", str(folder / f"work{number}")]
            arguments = [*address, *place, url]
            name = f"worker{number}"
            running.enter_context(_started(folder, name, f"{deploy}.worker.Worker", arguments))
        _wait_for("Registering worker", log, WORKERS)
        yield url


@contextmanager
def _started(folder: Path, name: str, daemon: str, arguments: list[str]) -> Iterator[Path]:
    home = Path(pyspark.__file__).parent
    log = folder / f"{name}.log"
    settings = {"SPARK_HOME": str(home), "SPARK_NO_DAEMONIZE": "1", "SPARK_LOCAL_IP": "127.0.0.1"}
    with log.open("w") as output:
        process = subprocess.Popen(
            [home / "bin" / "spark-class", daemon, *arguments],
            env=os.environ | settings,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield log
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_for(pattern: str, log: Path, count: int = 1) -> list[str]:
    deadline = time.monotonic() + SECONDS_TO_START
    while len(found := re.findall(pattern, log.read_text())) < count:
        if time.monotonic() > deadline:
            raise TimeoutError(f"no {pattern!r} in {log}:\n{log.read_text()}")
        time.sleep(0.2)
    return found
