-- A result store as many-models left it before it had versions (commit 8977f9b): four groups of
-- two partitions, trained twice, forecast from two origins, one of them measured.
CREATE TABLE "bread_ledger" ("partition" text, "group_key" text, "store" text, "item" text, "region" text, "status" text, "reason" text, "error" text, "traceback" text, "observations" bigint, "first_time" timestamp, "last_time" timestamp, "trained_through" timestamp, "candidate" text, "score" double precision, "baseline_score" double precision, "candidate_scores" text, "mase" double precision, "rmsse" double precision, "wape" double precision, "smape" double precision, "mae" double precision, "rmse" double precision, "bias" double precision, "pinball" double precision, "coverage" double precision, "coverage_80" double precision, "latest_mae" double precision, "folds" bigint, "evaluated_from" timestamp, "seconds" double precision, "core_seconds" double precision, "payload_sha256" text, "payload_bytes" bigint, "run_id" text, "trained_at" timestamp, "data_version" bigint, "code_version" text, "config_version" text, "model_name" text, "model_version" bigint, "model_run_id" text);
CREATE TABLE "bread_explanations" ("partition" text, "group_key" text, "store" text, "item" text, "run_id" text, "trained_at" timestamp, "model_name" text, "model_version" bigint, "candidate" text, "member" text, "effect" text, "feature" text, "class_name" text, "value" double precision, "standardised" double precision, "share" double precision, "share_rank" bigint);
CREATE TABLE "bread_verdicts" ("run_id" text, "trained_at" timestamp, "partition" text, "group_key" text, "store" text, "item" text, "model_name" text, "model_version" bigint, "model_run_id" text, "candidate" text, "score" double precision, "baseline_score" double precision, "compared_score" double precision, "champion_score" double precision, "compared_by" text, "coverage" double precision, "qualified" boolean, "accepted" boolean, "reason" text, "broken_rules" text, "decided_at" timestamp);
CREATE TABLE "bread_stages" ("run_id" text, "stage" text, "started_at" timestamp, "seconds" double precision, "partitions" bigint, "rows" bigint);
CREATE TABLE "bread_predictions" ("partition" text, "group_key" text, "store" text, "item" text, "origin" timestamp, "time" timestamp, "periods_ahead" bigint, "prediction" double precision, "lower" double precision, "upper" double precision, "lower_80" double precision, "upper_80" double precision, "source" text, "candidate" text, "model_name" text, "model_version" bigint);
CREATE TABLE "bread_scoring" ("partition" text, "group_key" text, "store" text, "item" text, "origin" timestamp, "source" text, "reason" text, "error" text, "candidate" text, "model_name" text, "model_version" bigint);
CREATE TABLE "bread_accuracy" ("partition" text, "group_key" text, "store" text, "item" text, "origin" timestamp, "time" timestamp, "periods_ahead" bigint, "prediction" double precision, "lower" double precision, "upper" double precision, "lower_80" double precision, "upper_80" double precision, "source" text, "candidate" text, "model_name" text, "model_version" bigint, "actual" double precision, "deviation" double precision, "covered" bigint);
CREATE TABLE "bread_drift" ("partition" text, "group_key" text, "store" text, "item" text, "model_name" text, "model_version" bigint, "candidate" text, "trained_through" timestamp, "measured_at" timestamp, "data_through" timestamp, "age_days" double precision, "judged" bigint, "promised" double precision, "error" double precision, "excess" double precision, "drifted_since" timestamp, "target_shift" double precision, "feature_shift" double precision, "shifted_feature" text, "drifted" boolean, "shifted" boolean, "stale" boolean, "run_id" text);
CREATE TABLE "bread_retraining" ("request_id" text, "partition" text, "reason" text, "subject" text, "detail" text, "value" double precision, "estimated_core_seconds" double precision, "attempt" bigint, "requested_at" timestamp, "champions_through" timestamp, "run_id" text, "outcome" text, "ended_at" timestamp, "trained" bigint, "promoted" bigint, "kept" bigint, "core_seconds" double precision, "gone_since" timestamp);
CREATE TABLE "bread_rollbacks" ("rollback_id" text, "rolled_back_at" timestamp, "rolled_back_by" text, "reason" text, "partition" text, "group_key" text, "model_name" text, "from_version" bigint, "to_version" bigint);
CREATE INDEX "ix_bread_ledger_19679e66" ON "bread_ledger" ("run_id", "partition");
CREATE INDEX "ix_bread_explan_8876f68c" ON "bread_explanations" ("partition");
CREATE INDEX "ix_bread_ledger_4163f8ab" ON "bread_ledger" ("partition", "trained_at");
CREATE INDEX "ix_bread_verdic_4bed8c1f" ON "bread_verdicts" ("partition", "run_id");
CREATE INDEX "ix_bread_verdic_5220c201" ON "bread_verdicts" ("partition", "trained_at");
CREATE INDEX "ix_bread_stages_4efba22c" ON "bread_stages" ("run_id", "stage");
CREATE INDEX "ix_bread_predic_0a29343a" ON "bread_predictions" ("origin");
CREATE INDEX "ix_bread_scorin_ae887251" ON "bread_scoring" ("origin");
CREATE INDEX "ix_bread_accura_890c903f" ON "bread_accuracy" ("origin");
CREATE INDEX "ix_bread_drift_67f7b7cc" ON "bread_drift" ("partition");
CREATE INDEX "ix_bread_retrai_23f50504" ON "bread_retraining" ("request_id");
CREATE INDEX "ix_bread_rollba_3721c0b5" ON "bread_rollbacks" ("rollback_id");
CREATE VIEW "bread_accuracy_by_group" AS SELECT origin, "partition", group_key, "store", "item", source, COUNT(*) AS n, AVG(ABS(deviation)) AS mae, AVG(deviation) AS bias, SUM(ABS(deviation)) / NULLIF(SUM(ABS(actual)), 0) AS wape, AVG(1.0 * covered) AS coverage FROM "bread_accuracy" GROUP BY origin, "partition", group_key, "store", "item", source;
CREATE VIEW "bread_accuracy_by_horizon" AS SELECT periods_ahead, source, COUNT(*) AS n, AVG(ABS(deviation)) AS mae, AVG(deviation) AS bias, SUM(ABS(deviation)) / NULLIF(SUM(ABS(actual)), 0) AS wape, AVG(1.0 * covered) AS coverage FROM "bread_accuracy" GROUP BY periods_ahead, source;
CREATE VIEW "bread_latest_ledger" AS SELECT t.* FROM "bread_ledger" t JOIN (SELECT "partition" AS p, MAX("trained_at") AS m FROM "bread_ledger" GROUP BY "partition") latest ON t."partition" = latest.p AND t."trained_at" = latest.m;
CREATE VIEW "bread_latest_verdicts" AS SELECT t.* FROM "bread_verdicts" t JOIN (SELECT "partition" AS p, MAX("trained_at") AS m FROM "bread_verdicts" GROUP BY "partition") latest ON t."partition" = latest.p AND t."trained_at" = latest.m;
CREATE VIEW "bread_drift_by_partition" AS SELECT "partition", COUNT(*) AS groups, SUM(CASE WHEN judged >= 7 AND promised IS NOT NULL THEN 1 ELSE 0 END) AS judged, SUM(CASE WHEN drifted THEN 1 ELSE 0 END) AS drifted, SUM(CASE WHEN shifted THEN 1 ELSE 0 END) AS shifted, SUM(CASE WHEN stale THEN 1 ELSE 0 END) AS stale, SUM(excess) AS excess FROM "bread_drift" GROUP BY "partition";
INSERT INTO "bread_ledger" VALUES
('s1', 'store=s1,item=bun', 's1', 'bun', 'north', 'trained', NULL, NULL, NULL, 100, '2024-01-01 00:00:00', '2024-04-09 00:00:00', '2024-04-09 00:00:00', 'ridge', 0.807999, 1.18727, '{"seasonal_naive": 1.187271244883831, "ridge": 0.8079989973259111}', 0.807999, 0.762684, 0.0429876, 0.0439527, 1.84842, 2.15822, 0.183271, 0.210349, 0.928571, 0.928571, 1.59293, 2, '2024-03-27 00:00:00', 0.0590964, 0.00642723, '80fc6b9fdcd19bf605cdc875e0ebafc6609d6e6ea9a36db19172f2297edcff37', 2399, 'first', '2026-11-28 15:32:42.368405', 1, '0.1.0', '252eaef05d6a', 'bread.s1.bun', 1, '01a222c9d3fac77463a8d9e2de803656'),
('s1', 'store=s1,item=rye', 's1', 'rye', 'north', 'trained', NULL, NULL, NULL, 100, '2024-01-01 00:00:00', '2024-04-09 00:00:00', '2024-04-09 00:00:00', 'ridge', 0.807999, 1.18727, '{"seasonal_naive": 1.187271244883831, "ridge": 0.8079989973259111}', 0.807999, 0.762684, 0.0429876, 0.0439527, 1.84842, 2.15822, 0.183271, 0.210349, 0.928571, 0.928571, 1.59293, 2, '2024-03-27 00:00:00', 0.01894, 0.00277696, '6baf37a17f5cf7990d5e18e005f995fc2690a7320e34567833fcdc76f347e368', 2399, 'first', '2026-11-28 15:32:42.368405', 1, '0.1.0', '252eaef05d6a', 'bread.s1.rye', 1, '01a222c9d3fb42532c91b8d112fde906'),
('s2', 'store=s2,item=new', 's2', 'new', 'south', 'skipped', 'too_few_observations', '2 observations; validation.min_observations is 60', NULL, 2, '2024-04-01 00:00:00', '2024-04-02 00:00:00', '2024-04-09 00:00:00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0.0, 0.0, NULL, NULL, 'first', '2026-11-28 15:32:42.368405', 1, '0.1.0', '252eaef05d6a', NULL, NULL, NULL),
('s2', 'store=s2,item=rye', 's2', 'rye', 'north', 'trained', NULL, NULL, NULL, 100, '2024-01-01 00:00:00', '2024-04-09 00:00:00', '2024-04-09 00:00:00', 'ridge', 0.807999, 1.18727, '{"seasonal_naive": 1.187271244883831, "ridge": 0.8079989973259111}', 0.807999, 0.762684, 0.0429876, 0.0439527, 1.84842, 2.15822, 0.183271, 0.210349, 0.928571, 0.928571, 1.59293, 2, '2024-03-27 00:00:00', 0.0454873, 0.00696478, 'b4c1949abe999aabee6b77602dc5e6ded2100ed5e724ac5141bced9f5822fcab', 2399, 'first', '2026-11-28 15:32:42.368405', 1, '0.1.0', '252eaef05d6a', 'bread.s2.rye', 1, '01a222c9d573a0032e6e53694af3dfcc'),
('s1', 'store=s1,item=bun', 's1', 'bun', 'north', 'trained', NULL, NULL, NULL, 110, '2024-01-01 00:00:00', '2024-04-19 00:00:00', '2024-04-19 00:00:00', 'ridge', 0.796862, 0.993012, '{"seasonal_naive": 0.9930115787910381, "ridge": 0.7968624721523837}', 0.796862, 0.789734, 0.0440071, 0.0437786, 1.86133, 2.25968, 1.04304, 0.277902, 0.928571, 0.928571, 2.07744, 2, '2024-04-06 00:00:00', 0.0103815, 0.00415257, '4c6cac20889fb4ced6b73bf8088b2a88f22b07159205c74cf04e35729b19dd53', 2399, 'second', '2026-11-28 15:33:12.529013', 2, '0.1.0', '252eaef05d6a', 'bread.s1.bun', 2, '01a222ca01d5bbb7473b8a6dd2de4148'),
('s1', 'store=s1,item=rye', 's1', 'rye', 'north', 'trained', NULL, NULL, NULL, 110, '2024-01-01 00:00:00', '2024-04-19 00:00:00', '2024-04-19 00:00:00', 'ridge', 0.796862, 0.993012, '{"seasonal_naive": 0.9930115787910381, "ridge": 0.7968624721523837}', 0.796862, 0.789734, 0.0440071, 0.0437786, 1.86133, 2.25968, 1.04304, 0.277902, 0.928571, 0.928571, 2.07744, 2, '2024-04-06 00:00:00', 0.00907336, 0.0028407, '31132165d27e935aa55027fe1dea90ef5fc1f278ed016e183aff8e27eaa23674', 2399, 'second', '2026-11-28 15:33:12.529013', 2, '0.1.0', '252eaef05d6a', 'bread.s1.rye', 2, '01a222ca01d6f02a7f8af473dbe82d66');
INSERT INTO "bread_explanations" VALUES
('s2', 'store=s2,item=rye', 's2', 'rye', 'first', '2026-11-28 15:32:42.368405', 'bread.s2.rye', 1, 'ridge', 'ridge', 'coefficient', 'week_sin1', NULL, -8.32643, -5.89467, 0.528329, 1),
('s2', 'store=s2,item=rye', 's2', 'rye', 'first', '2026-11-28 15:32:42.368405', 'bread.s2.rye', 1, 'ridge', 'ridge', 'coefficient', 'week_cos1', NULL, 4.28674, 3.02659, 0.271268, 2),
('s2', 'store=s2,item=rye', 's2', 'rye', 'first', '2026-11-28 15:32:42.368405', 'bread.s2.rye', 1, 'ridge', 'ridge', 'coefficient', 'trend', NULL, 0.0244021, 0.704393, 0.0631335, 3);
INSERT INTO "bread_verdicts" VALUES
('first', '2026-11-28 15:32:42.368405', 's1', 'store=s1,item=bun', 's1', 'bun', 'bread.s1.bun', 1, '01a222c9d3fac77463a8d9e2de803656', 'ridge', 0.807999, 1.18727, NULL, NULL, NULL, 0.928571, TRUE, TRUE, '', '', '2026-11-28 15:33:07.171885'),
('first', '2026-11-28 15:32:42.368405', 's1', 'store=s1,item=rye', 's1', 'rye', 'bread.s1.rye', 1, '01a222c9d3fb42532c91b8d112fde906', 'ridge', 0.807999, 1.18727, NULL, NULL, NULL, 0.928571, TRUE, TRUE, '', '', '2026-11-28 15:33:07.171900'),
('first', '2026-11-28 15:32:42.368405', 's2', 'store=s2,item=rye', 's2', 'rye', 'bread.s2.rye', 1, '01a222c9d573a0032e6e53694af3dfcc', 'ridge', 0.807999, 1.18727, NULL, NULL, NULL, 0.928571, TRUE, TRUE, '', '', '2026-11-28 15:33:07.171903'),
('second', '2026-11-28 15:33:12.529013', 's1', 'store=s1,item=bun', 's1', 'bun', 'bread.s1.bun', 2, '01a222ca01d5bbb7473b8a6dd2de4148', 'ridge', 0.796862, 0.993012, 2.07744, 2.05048, 'the mean absolute error in the latest fold', 0.928571, FALSE, FALSE, 'score 2.07744 is not below the champion''s 2.05048, by the mean absolute error in the latest fold', 'beat_champion_by', '2026-11-28 15:33:15.857058'),
('second', '2026-11-28 15:33:12.529013', 's1', 'store=s1,item=rye', 's1', 'rye', 'bread.s1.rye', 2, '01a222ca01d6f02a7f8af473dbe82d66', 'ridge', 0.796862, 0.993012, 2.07744, 2.05048, 'the mean absolute error in the latest fold', 0.928571, FALSE, FALSE, 'score 2.07744 is not below the champion''s 2.05048, by the mean absolute error in the latest fold', 'beat_champion_by', '2026-11-28 15:33:15.857078');
INSERT INTO "bread_stages" VALUES
('first', 'trained_models', '2026-11-28 15:33:07.779929', 8.282e-06, 2, 4);
INSERT INTO "bread_predictions" VALUES
('s1', 'store=s1,item=bun', 's1', 'bun', '2024-04-09 00:00:00', '2024-04-10 00:00:00', 1, 52.5894, 48.9521, 56.2268, 50.1815, 54.9973, 'model', 'ridge', 'bread.s1.bun', 1),
('s1', 'store=s1,item=bun', 's1', 'bun', '2024-04-09 00:00:00', '2024-04-11 00:00:00', 2, 47.7872, 44.0992, 51.4753, 45.3457, 50.2287, 'model', 'ridge', 'bread.s1.bun', 1),
('s1', 'store=s1,item=bun', 's1', 'bun', '2024-04-09 00:00:00', '2024-04-12 00:00:00', 3, 39.4442, 35.4746, 43.4138, 36.8164, 42.0721, 'model', 'ridge', 'bread.s1.bun', 1),
('s1', 'store=s1,item=bun', 's1', 'bun', '2024-04-09 00:00:00', '2024-04-13 00:00:00', 4, 32.9497, 28.8568, 37.0427, 30.2402, 35.6592, 'model', 'ridge', 'bread.s1.bun', 1),
('s1', 'store=s1,item=bun', 's1', 'bun', '2024-04-09 00:00:00', '2024-04-14 00:00:00', 5, 35.0759, 30.8671, 39.2848, 32.2897, 37.8622, 'model', 'ridge', 'bread.s1.bun', 1),
('s1', 'store=s1,item=bun', 's1', 'bun', '2024-04-09 00:00:00', '2024-04-15 00:00:00', 6, 43.4623, 39.098, 47.8266, 40.5731, 46.3514, 'model', 'ridge', 'bread.s1.bun', 1),
('s1', 'store=s1,item=bun', 's1', 'bun', '2024-04-09 00:00:00', '2024-04-16 00:00:00', 7, 50.8849, 46.4232, 55.3466, 47.9312, 53.8386, 'model', 'ridge', 'bread.s1.bun', 1),
('s1', 'store=s1,item=rye', 's1', 'rye', '2024-04-09 00:00:00', '2024-04-10 00:00:00', 1, 52.5894, 48.9521, 56.2268, 50.1815, 54.9973, 'model', 'ridge', 'bread.s1.rye', 1),
('s1', 'store=s1,item=rye', 's1', 'rye', '2024-04-09 00:00:00', '2024-04-11 00:00:00', 2, 47.7872, 44.0992, 51.4753, 45.3457, 50.2287, 'model', 'ridge', 'bread.s1.rye', 1),
('s1', 'store=s1,item=rye', 's1', 'rye', '2024-04-09 00:00:00', '2024-04-12 00:00:00', 3, 39.4442, 35.4746, 43.4138, 36.8164, 42.0721, 'model', 'ridge', 'bread.s1.rye', 1),
('s1', 'store=s1,item=rye', 's1', 'rye', '2024-04-09 00:00:00', '2024-04-13 00:00:00', 4, 32.9497, 28.8568, 37.0427, 30.2402, 35.6592, 'model', 'ridge', 'bread.s1.rye', 1),
('s1', 'store=s1,item=rye', 's1', 'rye', '2024-04-09 00:00:00', '2024-04-14 00:00:00', 5, 35.0759, 30.8671, 39.2848, 32.2897, 37.8622, 'model', 'ridge', 'bread.s1.rye', 1),
('s1', 'store=s1,item=rye', 's1', 'rye', '2024-04-09 00:00:00', '2024-04-15 00:00:00', 6, 43.4623, 39.098, 47.8266, 40.5731, 46.3514, 'model', 'ridge', 'bread.s1.rye', 1),
('s1', 'store=s1,item=rye', 's1', 'rye', '2024-04-09 00:00:00', '2024-04-16 00:00:00', 7, 50.8849, 46.4232, 55.3466, 47.9312, 53.8386, 'model', 'ridge', 'bread.s1.rye', 1),
('s2', 'store=s2,item=new', 's2', 'new', '2024-04-09 00:00:00', '2024-04-10 00:00:00', 1, 0.0, -2.04995, 2.04995, -2.04995, 2.04995, 'baseline', 'seasonal_naive', NULL, NULL),
('s2', 'store=s2,item=new', 's2', 'new', '2024-04-09 00:00:00', '2024-04-11 00:00:00', 2, 0.0, -2.05514, 2.05514, -2.05514, 2.05514, 'baseline', 'seasonal_naive', NULL, NULL),
('s2', 'store=s2,item=new', 's2', 'new', '2024-04-09 00:00:00', '2024-04-12 00:00:00', 3, 0.0, -2.01801, 2.01801, -2.01801, 2.01801, 'baseline', 'seasonal_naive', NULL, NULL),
('s2', 'store=s2,item=new', 's2', 'new', '2024-04-09 00:00:00', '2024-04-13 00:00:00', 4, 0.0, -2.024, 2.024, -2.024, 2.024, 'baseline', 'seasonal_naive', NULL, NULL),
('s2', 'store=s2,item=new', 's2', 'new', '2024-04-09 00:00:00', '2024-04-14 00:00:00', 5, 0.0, -2.01801, 2.01801, -2.01801, 2.01801, 'baseline', 'seasonal_naive', NULL, NULL),
('s2', 'store=s2,item=new', 's2', 'new', '2024-04-09 00:00:00', '2024-04-15 00:00:00', 6, 0.0, -2.01154, 2.01154, -2.01154, 2.01154, 'baseline', 'seasonal_naive', NULL, NULL),
('s2', 'store=s2,item=new', 's2', 'new', '2024-04-09 00:00:00', '2024-04-16 00:00:00', 7, 0.0, -2.00454, 2.00454, -2.00454, 2.00454, 'baseline', 'seasonal_naive', NULL, NULL),
('s2', 'store=s2,item=rye', 's2', 'rye', '2024-04-09 00:00:00', '2024-04-10 00:00:00', 1, 52.5894, 48.9521, 56.2268, 50.1815, 54.9973, 'model', 'ridge', 'bread.s2.rye', 1),
('s2', 'store=s2,item=rye', 's2', 'rye', '2024-04-09 00:00:00', '2024-04-11 00:00:00', 2, 47.7872, 44.0992, 51.4753, 45.3457, 50.2287, 'model', 'ridge', 'bread.s2.rye', 1),
('s2', 'store=s2,item=rye', 's2', 'rye', '2024-04-09 00:00:00', '2024-04-12 00:00:00', 3, 39.4442, 35.4746, 43.4138, 36.8164, 42.0721, 'model', 'ridge', 'bread.s2.rye', 1),
('s2', 'store=s2,item=rye', 's2', 'rye', '2024-04-09 00:00:00', '2024-04-13 00:00:00', 4, 32.9497, 28.8568, 37.0427, 30.2402, 35.6592, 'model', 'ridge', 'bread.s2.rye', 1),
('s2', 'store=s2,item=rye', 's2', 'rye', '2024-04-09 00:00:00', '2024-04-14 00:00:00', 5, 35.0759, 30.8671, 39.2848, 32.2897, 37.8622, 'model', 'ridge', 'bread.s2.rye', 1),
('s2', 'store=s2,item=rye', 's2', 'rye', '2024-04-09 00:00:00', '2024-04-15 00:00:00', 6, 43.4623, 39.098, 47.8266, 40.5731, 46.3514, 'model', 'ridge', 'bread.s2.rye', 1),
('s2', 'store=s2,item=rye', 's2', 'rye', '2024-04-09 00:00:00', '2024-04-16 00:00:00', 7, 50.8849, 46.4232, 55.3466, 47.9312, 53.8386, 'model', 'ridge', 'bread.s2.rye', 1),
('s1', 'store=s1,item=bun', 's1', 'bun', '2024-04-19 00:00:00', '2024-04-20 00:00:00', 1, 33.2525, 29.6152, 36.8899, 30.8446, 35.6604, 'model', 'ridge', 'bread.s1.bun', 1),
('s1', 'store=s1,item=bun', 's1', 'bun', '2024-04-19 00:00:00', '2024-04-21 00:00:00', 2, 35.3368, 31.6487, 39.0248, 32.8953, 37.7783, 'model', 'ridge', 'bread.s1.bun', 1),
('s1', 'store=s1,item=bun', 's1', 'bun', '2024-04-19 00:00:00', '2024-04-22 00:00:00', 3, 43.4357, 39.4661, 47.4053, 40.8079, 46.0636, 'model', 'ridge', 'bread.s1.bun', 1),
('s1', 'store=s1,item=bun', 's1', 'bun', '2024-04-19 00:00:00', '2024-04-23 00:00:00', 4, 50.7868, 46.6939, 54.8798, 48.0773, 53.4963, 'model', 'ridge', 'bread.s1.bun', 1),
('s1', 'store=s1,item=bun', 's1', 'bun', '2024-04-19 00:00:00', '2024-04-24 00:00:00', 5, 52.8587, 48.6499, 57.0676, 50.0725, 55.645, 'model', 'ridge', 'bread.s1.bun', 1),
('s1', 'store=s1,item=bun', 's1', 'bun', '2024-04-19 00:00:00', '2024-04-25 00:00:00', 6, 48.1633, 43.799, 52.5276, 45.2741, 51.0525, 'model', 'ridge', 'bread.s1.bun', 1),
('s1', 'store=s1,item=bun', 's1', 'bun', '2024-04-19 00:00:00', '2024-04-26 00:00:00', 7, 39.8817, 35.4199, 44.3434, 36.928, 42.8354, 'model', 'ridge', 'bread.s1.bun', 1),
('s1', 'store=s1,item=rye', 's1', 'rye', '2024-04-19 00:00:00', '2024-04-20 00:00:00', 1, 33.2525, 29.6152, 36.8899, 30.8446, 35.6604, 'model', 'ridge', 'bread.s1.rye', 1),
('s1', 'store=s1,item=rye', 's1', 'rye', '2024-04-19 00:00:00', '2024-04-21 00:00:00', 2, 35.3368, 31.6487, 39.0248, 32.8953, 37.7783, 'model', 'ridge', 'bread.s1.rye', 1),
('s1', 'store=s1,item=rye', 's1', 'rye', '2024-04-19 00:00:00', '2024-04-22 00:00:00', 3, 43.4357, 39.4661, 47.4053, 40.8079, 46.0636, 'model', 'ridge', 'bread.s1.rye', 1),
('s1', 'store=s1,item=rye', 's1', 'rye', '2024-04-19 00:00:00', '2024-04-23 00:00:00', 4, 50.7868, 46.6939, 54.8798, 48.0773, 53.4963, 'model', 'ridge', 'bread.s1.rye', 1),
('s1', 'store=s1,item=rye', 's1', 'rye', '2024-04-19 00:00:00', '2024-04-24 00:00:00', 5, 52.8587, 48.6499, 57.0676, 50.0725, 55.645, 'model', 'ridge', 'bread.s1.rye', 1),
('s1', 'store=s1,item=rye', 's1', 'rye', '2024-04-19 00:00:00', '2024-04-25 00:00:00', 6, 48.1633, 43.799, 52.5276, 45.2741, 51.0525, 'model', 'ridge', 'bread.s1.rye', 1),
('s1', 'store=s1,item=rye', 's1', 'rye', '2024-04-19 00:00:00', '2024-04-26 00:00:00', 7, 39.8817, 35.4199, 44.3434, 36.928, 42.8354, 'model', 'ridge', 'bread.s1.rye', 1),
('s2', 'store=s2,item=new', 's2', 'new', '2024-04-19 00:00:00', '2024-04-20 00:00:00', 1, 0.0, -2.42857, 2.42857, 0.0, 0.0, 'baseline', 'seasonal_naive', NULL, NULL),
('s2', 'store=s2,item=new', 's2', 'new', '2024-04-19 00:00:00', '2024-04-21 00:00:00', 2, 0.0, -2.26667, 2.26667, 0.0, 0.0, 'baseline', 'seasonal_naive', NULL, NULL),
('s2', 'store=s2,item=new', 's2', 'new', '2024-04-19 00:00:00', '2024-04-22 00:00:00', 3, 0.0, -2.125, 2.125, 0.0, 0.0, 'baseline', 'seasonal_naive', NULL, NULL),
('s2', 'store=s2,item=new', 's2', 'new', '2024-04-19 00:00:00', '2024-04-23 00:00:00', 4, 0.0, -2.0, 2.0, 0.0, 0.0, 'baseline', 'seasonal_naive', NULL, NULL),
('s2', 'store=s2,item=new', 's2', 'new', '2024-04-19 00:00:00', '2024-04-24 00:00:00', 5, 0.0, -2.125, 2.125, 0.0, 0.0, 'baseline', 'seasonal_naive', NULL, NULL),
('s2', 'store=s2,item=new', 's2', 'new', '2024-04-19 00:00:00', '2024-04-25 00:00:00', 6, 0.0, -2.26667, 2.26667, 0.0, 0.0, 'baseline', 'seasonal_naive', NULL, NULL),
('s2', 'store=s2,item=new', 's2', 'new', '2024-04-19 00:00:00', '2024-04-26 00:00:00', 7, 0.0, -2.09524, 2.09524, 0.0, 0.0, 'baseline', 'seasonal_naive', NULL, NULL),
('s2', 'store=s2,item=rye', 's2', 'rye', '2024-04-19 00:00:00', '2024-04-20 00:00:00', 1, 33.2525, 29.6152, 36.8899, 30.8446, 35.6604, 'model', 'ridge', 'bread.s2.rye', 1),
('s2', 'store=s2,item=rye', 's2', 'rye', '2024-04-19 00:00:00', '2024-04-21 00:00:00', 2, 35.3368, 31.6487, 39.0248, 32.8953, 37.7783, 'model', 'ridge', 'bread.s2.rye', 1),
('s2', 'store=s2,item=rye', 's2', 'rye', '2024-04-19 00:00:00', '2024-04-22 00:00:00', 3, 43.4357, 39.4661, 47.4053, 40.8079, 46.0636, 'model', 'ridge', 'bread.s2.rye', 1),
('s2', 'store=s2,item=rye', 's2', 'rye', '2024-04-19 00:00:00', '2024-04-23 00:00:00', 4, 50.7868, 46.6939, 54.8798, 48.0773, 53.4963, 'model', 'ridge', 'bread.s2.rye', 1),
('s2', 'store=s2,item=rye', 's2', 'rye', '2024-04-19 00:00:00', '2024-04-24 00:00:00', 5, 52.8587, 48.6499, 57.0676, 50.0725, 55.645, 'model', 'ridge', 'bread.s2.rye', 1),
('s2', 'store=s2,item=rye', 's2', 'rye', '2024-04-19 00:00:00', '2024-04-25 00:00:00', 6, 48.1633, 43.799, 52.5276, 45.2741, 51.0525, 'model', 'ridge', 'bread.s2.rye', 1),
('s2', 'store=s2,item=rye', 's2', 'rye', '2024-04-19 00:00:00', '2024-04-26 00:00:00', 7, 39.8817, 35.4199, 44.3434, 36.928, 42.8354, 'model', 'ridge', 'bread.s2.rye', 1);
INSERT INTO "bread_scoring" VALUES
('s1', 'store=s1,item=bun', 's1', 'bun', '2024-04-09 00:00:00', 'model', NULL, NULL, 'ridge', 'bread.s1.bun', 1),
('s1', 'store=s1,item=rye', 's1', 'rye', '2024-04-09 00:00:00', 'model', NULL, NULL, 'ridge', 'bread.s1.rye', 1),
('s2', 'store=s2,item=new', 's2', 'new', '2024-04-09 00:00:00', 'baseline', 'no_champion', 'no model of this group is in production', 'seasonal_naive', NULL, NULL),
('s2', 'store=s2,item=rye', 's2', 'rye', '2024-04-09 00:00:00', 'model', NULL, NULL, 'ridge', 'bread.s2.rye', 1),
('s1', 'store=s1,item=bun', 's1', 'bun', '2024-04-19 00:00:00', 'model', NULL, NULL, 'ridge', 'bread.s1.bun', 1),
('s1', 'store=s1,item=rye', 's1', 'rye', '2024-04-19 00:00:00', 'model', NULL, NULL, 'ridge', 'bread.s1.rye', 1),
('s2', 'store=s2,item=new', 's2', 'new', '2024-04-19 00:00:00', 'baseline', 'no_champion', 'no model of this group is in production', 'seasonal_naive', NULL, NULL),
('s2', 'store=s2,item=rye', 's2', 'rye', '2024-04-19 00:00:00', 'model', NULL, NULL, 'ridge', 'bread.s2.rye', 1);
INSERT INTO "bread_accuracy" VALUES
('s1', 'store=s1,item=bun', 's1', 'bun', '2024-04-09 00:00:00', '2024-04-10 00:00:00', 1, 52.5894, 48.9521, 56.2268, 50.1815, 54.9973, 'model', 'ridge', 'bread.s1.bun', 1, 53.7546, -1.16522, 1),
('s1', 'store=s1,item=bun', 's1', 'bun', '2024-04-09 00:00:00', '2024-04-11 00:00:00', 2, 47.7872, 44.0992, 51.4753, 45.3457, 50.2287, 'model', 'ridge', 'bread.s1.bun', 1, 49.3383, -1.55105, 1),
('s1', 'store=s1,item=bun', 's1', 'bun', '2024-04-09 00:00:00', '2024-04-12 00:00:00', 3, 39.4442, 35.4746, 43.4138, 36.8164, 42.0721, 'model', 'ridge', 'bread.s1.bun', 1, 38.3726, 1.07165, 1),
('s1', 'store=s1,item=bun', 's1', 'bun', '2024-04-09 00:00:00', '2024-04-13 00:00:00', 4, 32.9497, 28.8568, 37.0427, 30.2402, 35.6592, 'model', 'ridge', 'bread.s1.bun', 1, 31.162, 1.78772, 1),
('s1', 'store=s1,item=bun', 's1', 'bun', '2024-04-09 00:00:00', '2024-04-14 00:00:00', 5, 35.0759, 30.8671, 39.2848, 32.2897, 37.8622, 'model', 'ridge', 'bread.s1.bun', 1, 37.0078, -1.93184, 1),
('s1', 'store=s1,item=bun', 's1', 'bun', '2024-04-09 00:00:00', '2024-04-15 00:00:00', 6, 43.4623, 39.098, 47.8266, 40.5731, 46.3514, 'model', 'ridge', 'bread.s1.bun', 1, 40.5392, 2.92306, 1),
('s1', 'store=s1,item=bun', 's1', 'bun', '2024-04-09 00:00:00', '2024-04-16 00:00:00', 7, 50.8849, 46.4232, 55.3466, 47.9312, 53.8386, 'model', 'ridge', 'bread.s1.bun', 1, 49.5122, 1.37272, 1),
('s1', 'store=s1,item=rye', 's1', 'rye', '2024-04-09 00:00:00', '2024-04-10 00:00:00', 1, 52.5894, 48.9521, 56.2268, 50.1815, 54.9973, 'model', 'ridge', 'bread.s1.rye', 1, 53.7546, -1.16522, 1),
('s1', 'store=s1,item=rye', 's1', 'rye', '2024-04-09 00:00:00', '2024-04-11 00:00:00', 2, 47.7872, 44.0992, 51.4753, 45.3457, 50.2287, 'model', 'ridge', 'bread.s1.rye', 1, 49.3383, -1.55105, 1),
('s1', 'store=s1,item=rye', 's1', 'rye', '2024-04-09 00:00:00', '2024-04-12 00:00:00', 3, 39.4442, 35.4746, 43.4138, 36.8164, 42.0721, 'model', 'ridge', 'bread.s1.rye', 1, 38.3726, 1.07165, 1),
('s1', 'store=s1,item=rye', 's1', 'rye', '2024-04-09 00:00:00', '2024-04-13 00:00:00', 4, 32.9497, 28.8568, 37.0427, 30.2402, 35.6592, 'model', 'ridge', 'bread.s1.rye', 1, 31.162, 1.78772, 1),
('s1', 'store=s1,item=rye', 's1', 'rye', '2024-04-09 00:00:00', '2024-04-14 00:00:00', 5, 35.0759, 30.8671, 39.2848, 32.2897, 37.8622, 'model', 'ridge', 'bread.s1.rye', 1, 37.0078, -1.93184, 1),
('s1', 'store=s1,item=rye', 's1', 'rye', '2024-04-09 00:00:00', '2024-04-15 00:00:00', 6, 43.4623, 39.098, 47.8266, 40.5731, 46.3514, 'model', 'ridge', 'bread.s1.rye', 1, 40.5392, 2.92306, 1),
('s1', 'store=s1,item=rye', 's1', 'rye', '2024-04-09 00:00:00', '2024-04-16 00:00:00', 7, 50.8849, 46.4232, 55.3466, 47.9312, 53.8386, 'model', 'ridge', 'bread.s1.rye', 1, 49.5122, 1.37272, 1),
('s2', 'store=s2,item=new', 's2', 'new', '2024-04-09 00:00:00', '2024-04-10 00:00:00', 1, 0.0, -2.04995, 2.04995, -2.04995, 2.04995, 'baseline', 'seasonal_naive', NULL, NULL, 0.0, 0.0, 1),
('s2', 'store=s2,item=new', 's2', 'new', '2024-04-09 00:00:00', '2024-04-11 00:00:00', 2, 0.0, -2.05514, 2.05514, -2.05514, 2.05514, 'baseline', 'seasonal_naive', NULL, NULL, 0.0, 0.0, 1),
('s2', 'store=s2,item=new', 's2', 'new', '2024-04-09 00:00:00', '2024-04-12 00:00:00', 3, 0.0, -2.01801, 2.01801, -2.01801, 2.01801, 'baseline', 'seasonal_naive', NULL, NULL, 0.0, 0.0, 1),
('s2', 'store=s2,item=new', 's2', 'new', '2024-04-09 00:00:00', '2024-04-13 00:00:00', 4, 0.0, -2.024, 2.024, -2.024, 2.024, 'baseline', 'seasonal_naive', NULL, NULL, 0.0, 0.0, 1),
('s2', 'store=s2,item=new', 's2', 'new', '2024-04-09 00:00:00', '2024-04-14 00:00:00', 5, 0.0, -2.01801, 2.01801, -2.01801, 2.01801, 'baseline', 'seasonal_naive', NULL, NULL, 0.0, 0.0, 1),
('s2', 'store=s2,item=new', 's2', 'new', '2024-04-09 00:00:00', '2024-04-15 00:00:00', 6, 0.0, -2.01154, 2.01154, -2.01154, 2.01154, 'baseline', 'seasonal_naive', NULL, NULL, 0.0, 0.0, 1),
('s2', 'store=s2,item=new', 's2', 'new', '2024-04-09 00:00:00', '2024-04-16 00:00:00', 7, 0.0, -2.00454, 2.00454, -2.00454, 2.00454, 'baseline', 'seasonal_naive', NULL, NULL, 0.0, 0.0, 1),
('s2', 'store=s2,item=rye', 's2', 'rye', '2024-04-09 00:00:00', '2024-04-10 00:00:00', 1, 52.5894, 48.9521, 56.2268, 50.1815, 54.9973, 'model', 'ridge', 'bread.s2.rye', 1, 53.7546, -1.16522, 1),
('s2', 'store=s2,item=rye', 's2', 'rye', '2024-04-09 00:00:00', '2024-04-11 00:00:00', 2, 47.7872, 44.0992, 51.4753, 45.3457, 50.2287, 'model', 'ridge', 'bread.s2.rye', 1, 49.3383, -1.55105, 1),
('s2', 'store=s2,item=rye', 's2', 'rye', '2024-04-09 00:00:00', '2024-04-12 00:00:00', 3, 39.4442, 35.4746, 43.4138, 36.8164, 42.0721, 'model', 'ridge', 'bread.s2.rye', 1, 38.3726, 1.07165, 1),
('s2', 'store=s2,item=rye', 's2', 'rye', '2024-04-09 00:00:00', '2024-04-13 00:00:00', 4, 32.9497, 28.8568, 37.0427, 30.2402, 35.6592, 'model', 'ridge', 'bread.s2.rye', 1, 31.162, 1.78772, 1),
('s2', 'store=s2,item=rye', 's2', 'rye', '2024-04-09 00:00:00', '2024-04-14 00:00:00', 5, 35.0759, 30.8671, 39.2848, 32.2897, 37.8622, 'model', 'ridge', 'bread.s2.rye', 1, 37.0078, -1.93184, 1),
('s2', 'store=s2,item=rye', 's2', 'rye', '2024-04-09 00:00:00', '2024-04-15 00:00:00', 6, 43.4623, 39.098, 47.8266, 40.5731, 46.3514, 'model', 'ridge', 'bread.s2.rye', 1, 40.5392, 2.92306, 1),
('s2', 'store=s2,item=rye', 's2', 'rye', '2024-04-09 00:00:00', '2024-04-16 00:00:00', 7, 50.8849, 46.4232, 55.3466, 47.9312, 53.8386, 'model', 'ridge', 'bread.s2.rye', 1, 49.5122, 1.37272, 1);
INSERT INTO "bread_drift" VALUES
('s1', 'store=s1,item=bun', 's1', 'bun', 'bread.s1.bun', 1, 'ridge', '2024-04-09 00:00:00', '2026-11-28 15:33:17.031177', '2024-04-19 00:00:00', 10.0, 7, 1.84842, 1.68618, 0.0, NULL, NULL, NULL, NULL, FALSE, FALSE, FALSE, 'd'),
('s1', 'store=s1,item=rye', 's1', 'rye', 'bread.s1.rye', 1, 'ridge', '2024-04-09 00:00:00', '2026-11-28 15:33:17.031177', '2024-04-19 00:00:00', 10.0, 7, 1.84842, 1.68618, 0.0, NULL, NULL, NULL, NULL, FALSE, FALSE, FALSE, 'd'),
('s2', 'store=s2,item=rye', 's2', 'rye', 'bread.s2.rye', 1, 'ridge', '2024-04-09 00:00:00', '2026-11-28 15:33:17.031177', '2024-04-19 00:00:00', 10.0, 7, 1.84842, 1.68618, 0.0, NULL, NULL, NULL, NULL, FALSE, FALSE, FALSE, 'd');
INSERT INTO "bread_retraining" VALUES
('q1', 's1', 'age', 'age', 'old', 1.0, 2.0, 1, '2024-05-01 00:00:00', NULL, NULL, 'requested', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO "bread_rollbacks" VALUES
('x', '2024-06-01 00:00:00', 'ann', 'bad prices', 's1', 'store=s1,item=bun', 'bread.s1.bun', 1, NULL),
('x', '2024-06-01 00:00:00', 'ann', 'bad prices', 's1', 'store=s1,item=rye', 'bread.s1.rye', 1, NULL);
