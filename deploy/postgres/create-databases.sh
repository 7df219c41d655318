#!/bin/sh
# Roles and databases, each with no more rights than it needs. Runs once, when PostgreSQL starts
# on an empty volume; for a server of your own, run it with PGHOST, PGUSER and PGPASSWORD set.
#
#   role       may                                                        who has its password
#   dagster    own `dagster`                                              Dagster
#   results    own `results`                                              the code location
#   trainer    own `training`                                             the code location, MLflow training
#   promoter   own `production`                                           the code location
#   reader     read `production` and `results`                            serving, MLflow production, BI tools
#   accounts   own `training_users`, `production_users`: MLflow's users   the MLflow servers
set -eu

psql --set ON_ERROR_STOP=1 --dbname postgres \
    --set dagster="$DAGSTER_PASSWORD" --set results="$RESULTS_PASSWORD" \
    --set trainer="$TRAINER_PASSWORD" --set promoter="$PROMOTER_PASSWORD" \
    --set reader="$READER_PASSWORD" --set accounts="$ACCOUNTS_PASSWORD" <<'SQL'
CREATE ROLE dagster LOGIN PASSWORD :'dagster';
CREATE ROLE results LOGIN PASSWORD :'results';
CREATE ROLE trainer LOGIN PASSWORD :'trainer';
CREATE ROLE promoter LOGIN PASSWORD :'promoter';
CREATE ROLE reader LOGIN PASSWORD :'reader';
CREATE ROLE accounts LOGIN PASSWORD :'accounts';
CREATE DATABASE dagster OWNER dagster;
CREATE DATABASE results OWNER results;
CREATE DATABASE training OWNER trainer;
CREATE DATABASE production OWNER promoter;
CREATE DATABASE training_users OWNER accounts;
CREATE DATABASE production_users OWNER accounts;
REVOKE CONNECT ON DATABASE dagster, results, training, production, training_users, production_users
    FROM PUBLIC;
GRANT CONNECT ON DATABASE production, results TO reader;
SQL

# Tables are made later, by their owners: the reader may read those, too.
for owner in promoter:production results:results; do
    psql --set ON_ERROR_STOP=1 --dbname "${owner#*:}" <<SQL
ALTER DEFAULT PRIVILEGES FOR ROLE ${owner%:*} GRANT SELECT ON TABLES TO reader;
SQL
done
