"""Three ways to serve a model for each group over HTTP, each in a process of its own.

``many-models serve``; ``mlflow models serve`` of one pyfunc that holds every model; and FastAPI
with ``mlflow.pyfunc.load_model`` in each request. As a program, this is the last one's process.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
from serving_fleet import USE_CASE, Fleet

START_SECONDS = 300
TRACKING = "MLFLOW_TRACKING_URI"


class WholeSet:
    """All models in one: what is in memory when it is loaded, by key."""

    def __init__(self, models: dict[tuple[str, str], Any]) -> None:
        self.models = models

    def predict(self, rows: pd.DataFrame) -> pd.DataFrame:
        found = [
            self.models[key].predict(own).assign(store_id=key[0], item_id=key[1])
            for key, own in rows.groupby(list(USE_CASE.keys), sort=False)
        ]
        return pd.concat(found).loc[rows.index]


@contextmanager
def many_models(fleet: Fleet, *, cache_mb: int, **options: object) -> Iterator[Running]:
    """Our service; ``options`` are flags of the command."""
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    program = str(Path(sys.executable).with_name("many-models"))
    command = [program, "serve", str(fleet.file), "--no-auth", "--unknown=refuse"]
    environ = {"MANY_MODELS_PRODUCTION_READER": fleet.registry.uri}
    with _running([*command, f"--cache-mb={cache_mb}", *flags], environ) as found:
        yield found


@contextmanager
def whole_set(fleet: Fleet, models: int, folder: Path) -> Iterator[Running]:
    """MLflow's own server with the first ``models`` groups' models in one pyfunc."""
    import mlflow.sklearn

    everything = WholeSet({fleet.key(n): fleet.model(n) for n in range(models)})
    mlflow.sklearn.save_model(
        everything,
        str(folder / "whole_set"),
        pip_requirements=["pandas"],
        serialization_format="pickle",
    )
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(folder / "whole_set")]
    with _running([*command, "--env-manager=local"], {}) as found:
        yield found


@contextmanager
def load_each(fleet: Fleet) -> Iterator[Running]:
    """FastAPI that loads the champion of each request's group through MLflow."""
    with _running([sys.executable, __file__], {TRACKING: fleet.registry.uri}) as found:
        yield found


class Running:
    """A server process that answers at ``port``."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.port = port

    def get(self, path: str) -> str:
        """The text at a path; of an error, too."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as reply:
                text: bytes = reply.read()
        except urllib.error.HTTPError as error:
            text = error.read()
        return text.decode()


@contextmanager
def _running(command: Sequence[str], environ: Mapping[str, str]) -> Iterator[Running]:
    port = _free_port()
    here = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [*command, f"--port={port}"],
        env={**os.environ, **environ, "PYTHONPATH": here},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        running = Running(process, port)
        _wait(running)
        yield running
    finally:
        process.terminate()
        process.wait(60)


def _wait(running: Running) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            running.get("/ping")
        except OSError:
            if running.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{running.process.args} does not start") from None
            time.sleep(0.1)
        else:
            return


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _serve_each(port: int) -> None:
    import mlflow.pyfunc
    import uvicorn
    from fastapi import FastAPI

    from many_models.core.keys import model_name

    app = FastAPI()

    @app.get("/ping")
    def ping() -> str:
        return "ok"

    @app.post("/invocations")
    def invocations(body: dict[str, Any]) -> dict[str, Any]:
        rows = pd.DataFrame(body["dataframe_records"])
        key = tuple(rows.loc[0, list(USE_CASE.keys)])
        name = model_name(USE_CASE.name, USE_CASE.keys, key)
        model = mlflow.pyfunc.load_model(f"models:/{name}@champion")
        return {"predictions": model.predict(rows).to_dict(orient="records")}

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False)


if __name__ == "__main__":
    _serve_each(int(sys.argv[1].partition("=")[2]))
