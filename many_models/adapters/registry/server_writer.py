"""Writing models through an MLflow server that registers them in bulk (``server_app``).

Sends some thousand models a request, which the server writes in one transaction. Credentials are
those of MLflow's own client (``MLFLOW_TRACKING_USERNAME``, ``..._PASSWORD``, ``..._TOKEN``).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from many_models.adapters.registry.artifact_template import (
    ArtifactTemplate,
    Identity,
    Templates,
    own_files,
)
from many_models.adapters.registry.bulk_writer import CHUNK
from many_models.adapters.registry.connection import resolve_source_tags, unreachable
from many_models.adapters.registry.model_artifact import PAYLOAD_FILE
from many_models.adapters.registry.record_rules import check_alias, check_record
from many_models.adapters.registry.registration_stream import (
    CONTENT_TYPE,
    FORMAT,
    PATH,
    Header,
    StreamError,
    describe_files,
    read_outcomes,
    write_records,
)
from many_models.adapters.registry.writer import WriterChoice
from many_models.core.registration import (
    PARTITION_TAG,
    ModelRecord,
    ModelVersion,
    RegistrationFailure,
)

logger = logging.getLogger(__name__)

_ASK_SECONDS = 30
_WRITE_SECONDS = 600
_BYTES = 32 << 20  # payloads and texts of a request, unless a partition has more


@dataclass(frozen=True, slots=True)
class _Ready:
    """A record as it is sent: with the text of its files, and about how many bytes it takes."""

    record: ModelRecord
    files: str
    size: int


def ask_server(uri: str, experiment_id: str) -> WriterChoice:
    """Whether the server at ``uri`` registers models of that experiment in bulk, and why (not).

    Raises:
        RegistryError: when it does not answer, or lets us in no more.
    """
    try:
        response = _request(uri, "GET", experiment_id, timeout=_ASK_SECONDS)
    except Exception as error:
        raise unreachable(uri, error) from error
    if response.status_code in (404, 405):
        return WriterChoice("client", "the MLflow server was not started with our app")
    if response.status_code != 200:
        raise unreachable(uri, _reason(response))
    offer = response.json()
    if offer["format"] != FORMAT:
        return WriterChoice(
            "client", f"the server speaks format {offer['format']}, and this client {FORMAT}"
        )
    if not offer["bulk"]:
        return WriterChoice("client", f"the server says: {offer['reason']}")
    return WriterChoice("server", offer["reason"], request_bytes=offer["request_bytes"])


class ServerWriter:
    """Registers records in one experiment of the registry behind the server at ``uri``.

    ``request_bytes`` is the largest request that it takes; ``example`` is as for ``ClientWriter``.
    With an alias, the models of one partition that come in a row go into one request and so into
    one transaction, however many they are: a partition changes as a whole.
    """

    def __init__(
        self, uri: str, experiment_id: str, request_bytes: int, example: pd.DataFrame | None
    ) -> None:
        self._uri = uri
        self._experiment_id = experiment_id
        self._request_bytes = request_bytes
        self._templates = Templates(example)
        self._files: dict[object, str] = {}
        self._source_tags = resolve_source_tags()

    def write_all(
        self, records: Iterable[ModelRecord], alias: str | None
    ) -> Iterator[ModelVersion | RegistrationFailure]:
        """Register ``records`` as new versions, one outcome for each, in their order.

        Raises:
            RegistryError: when the registry itself fails; what was yielded before is there.
        """
        if alias is not None:
            check_alias(alias)
        for chunk in self._chunks(records, by_partition=alias is not None):
            ready = [prepared for prepared in chunk if isinstance(prepared, _Ready)]
            sent = iter(self._send(ready, alias) if ready else ())
            for prepared in chunk:
                yield next(sent) if isinstance(prepared, _Ready) else prepared

    def _chunks(
        self, records: Iterable[ModelRecord], *, by_partition: bool
    ) -> Iterator[list[_Ready | RegistrationFailure]]:
        chunk: list[_Ready | RegistrationFailure] = []
        size = 0
        partition: str | None = None
        for record in records:
            previous, partition = partition, record.tags.get(PARTITION_TAG)
            full = len(chunk) >= CHUNK or size >= _BYTES
            if full and not (by_partition and partition == previous):
                yield chunk
                chunk, size = [], 0
            chunk.append(self._prepare(record))
            size += getattr(chunk[-1], "size", 0)
        if chunk:
            yield chunk

    def _prepare(self, record: ModelRecord) -> _Ready | RegistrationFailure:
        try:
            check_record(record)
            files = self._describe(self._templates.of(record))
            texts = [record.name, dict(record.params), dict(record.tags), record.key_tags]
            own = own_files(record).values()
            size = len(json.dumps(texts, ensure_ascii=False).encode()) + len(record.payload)
            size += sum(map(len, own))
        except Exception as error:
            logger.warning("model %s was not registered: %s", record.name, error)
            return RegistrationFailure(record.name, f"{type(error).__name__}: {error}")
        return _Ready(record, files, size)

    def _describe(self, template: ArtifactTemplate) -> str:
        """JSON text of the files of ``template``; what is each model's own, the server fills in."""
        key = (template.description, tuple(template.environment.items()))
        if key not in self._files:
            files = template.render(Identity("-", "-", "-"), b"")
            del files[PAYLOAD_FILE]
            self._files[key] = describe_files(files)
        return self._files[key]

    def _send(
        self, ready: Sequence[_Ready], alias: str | None
    ) -> list[ModelVersion | RegistrationFailure]:
        records = [one.record for one in ready]
        header = Header(alias, self._source_tags)
        body = write_records(records, [one.files for one in ready], header)
        if len(body) > self._request_bytes:
            partition = records[0].tags.get(PARTITION_TAG)
            raise unreachable(
                self._uri,
                f"{len(records)} models of partition {partition} take {len(body)} bytes, and the "
                f"server takes {self._request_bytes} at once: raise its "
                "MANY_MODELS_SERVER_REQUEST_MB, or make smaller partitions",
            )
        try:
            response = _request(
                self._uri, "POST", self._experiment_id, timeout=_WRITE_SECONDS, data=body
            )
        except Exception as error:
            raise unreachable(self._uri, error) from error
        if response.status_code != 200:
            raise unreachable(self._uri, _reason(response))
        try:
            return read_outcomes(response.content, records)
        except StreamError as error:
            raise unreachable(self._uri, error) from error


def _request(
    uri: str, method: str, experiment_id: str, *, timeout: int, data: bytes | None = None
) -> Any:
    """One request, never repeated: a registration that was answered too late may have happened."""
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    return http_request(
        get_default_host_creds(uri),  # type: ignore[no-untyped-call]
        PATH,
        method,
        max_retries=0,
        raise_on_status=False,
        timeout=timeout,
        extra_headers=None if data is None else {"Content-Type": CONTENT_TYPE},
        params={"experiment_id": experiment_id},
        data=data,
    )


def _reason(response: Any) -> str:
    """What a server that refuses says, in one line."""
    try:
        text = response.json()["message"]
    except (ValueError, KeyError, TypeError):
        text = " ".join(response.text.split())[:300]
    return f"it answers {response.status_code} ({text})"
