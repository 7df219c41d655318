"""Charts, each defined once in Altair: pictures in Dagster's pages, interactive in ours."""
