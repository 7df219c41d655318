"""Names of partitions on their way from op to op: kept in Dagster's event log, and nowhere else.

Files would be lost to a retry that runs on another machine; the event log is there for every run.
The names are also what the run's page shows of an op's output.
"""

from typing import Any

import dagster as dg

NAMES = "partition_names"
"""Key of the IO manager, and label of the names on the event."""


class NamesIOManager(dg.IOManager):
    """Keeps a list of names, of thousands at most, as metadata of its output."""

    def handle_output(self, context: dg.OutputContext, obj: list[str]) -> None:
        context.add_output_metadata({NAMES: obj, "count": len(obj)})

    def load_input(self, context: dg.InputContext) -> list[str]:
        output = context.upstream_output
        assert output is not None  # names come from an op
        handled = dg.DagsterEventType.HANDLED_OUTPUT
        for entry in context.instance.all_logs(output.run_id, of_type=handled):
            event = entry.dagster_event
            assert event is not None
            data: Any = event.event_specific_data
            if (event.step_key, data.output_name) == (output.step_key, output.name):
                return list(data.metadata[NAMES].value)
        raise dg.DagsterInvariantViolationError(
            f"run {output.run_id} has no names from {output.step_key}; start a new run"
        )


@dg.io_manager
def names_io_manager() -> NamesIOManager:
    return NamesIOManager()
