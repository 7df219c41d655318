"""What Spark needs before it starts: Java, and settings that fit many small Python fits."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from many_models.core.errors import PrerequisiteError

JAVA_VERSION_MIN = 17
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def check_java() -> str:
    """Version of the Java that Spark will start.

    Raises:
        PrerequisiteError: there is none, or it is too old; says how to install one.
    """
    remedy = "install one (Debian: apt-get install openjdk-17-jre-headless) or set JAVA_HOME"
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home, "bin", "java")) if home else shutil.which("java")
    if java is None or not Path(java).exists():
        raise PrerequisiteError(f"Spark needs Java {JAVA_VERSION_MIN} or later and there is none; {remedy}")
    answer = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(?:1\.)?(\d+)[^"]*"', answer)
    if found is None:
        raise PrerequisiteError(f"{java} does not tell its version ({answer.strip()!r}); {remedy}")
    if int(found[1]) < JAVA_VERSION_MIN:
        raise PrerequisiteError(f"Spark needs Java {JAVA_VERSION_MIN} or later, {java} is {found[1]}; {remedy}")
    return found[1]


def spark_settings(master: str) -> dict[str, str]:
    """Spark configuration for ``master``: native libraries run one thread a task, as tasks share cores."""
    settings = {
        "spark.master": master,
        "spark.app.name": "many-models",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.sql.shuffle.partitions": "16",
        **{f"spark.executorEnv.{name}": "1" for name in ONE_THREAD},
    }
    if master.startswith("local"):
        settings["spark.driver.host"] = "127.0.0.1"
        settings["spark.driver.bindAddress"] = "127.0.0.1"
    return settings


def prepare_workers() -> None:
    """Have Spark's Python workers run this very interpreter, unless PYSPARK_PYTHON says otherwise."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
