"""What Spark needs before it starts: Java, and settings that fit many small Python fits."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path

from pyspark.sql import SparkSession

from many_models.core.errors import PrerequisiteError

JAVA_VERSION_MIN = 17
LOG_SETTINGS = Path(__file__).with_name("log4j2.properties")
PANDAS_NOTICE = "PySpark does not yet fully support pandas"
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
        raise PrerequisiteError(
            f"Spark needs Java {JAVA_VERSION_MIN} or later and there is none; {remedy}"
        )
    answer = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(?:1\.)?(\d+)[^"]*"', answer)
    if found is None:
        raise PrerequisiteError(f"{java} does not tell its version ({answer.strip()!r}); {remedy}")
    if int(found[1]) < JAVA_VERSION_MIN:
        raise PrerequisiteError(
            f"Spark needs Java {JAVA_VERSION_MIN} or later, {java} is {found[1]}; {remedy}"
        )
    return found[1]


def spark_settings(master: str) -> dict[str, str]:
    """Spark configuration for ``master``.

    Native libraries run one thread a task, since the tasks already share the cores.
    """
    settings = {
        "spark.master": master,
        "spark.app.name": "many-models",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={LOG_SETTINGS.as_uri()}",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.sql.shuffle.partitions": "16",
        **{f"spark.executorEnv.{name}": "1" for name in ONE_THREAD},
        "spark.executorEnv.PYTHONWARNINGS": f"ignore:{PANDAS_NOTICE}",
    }
    if master.startswith("local"):
        settings["spark.driver.host"] = "127.0.0.1"
    return settings


def start_session(master: str, overrides: Mapping[str, str]) -> SparkSession:
    """The session of this process, started if there is none.

    Spark's Python workers run this very interpreter, unless PYSPARK_PYTHON says otherwise.

    Raises:
        PrerequisiteError: Java is missing or too old.
    """
    check_java()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    if master.startswith("local"):
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    # The versions are pinned, and our tests run on them.
    warnings.filterwarnings("ignore", message=PANDAS_NOTICE)
    builder = SparkSession.builder
    for name, value in {**spark_settings(master), **overrides}.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()
