"""Behind ``many-models new``: a use case proposed from what a source table holds."""
