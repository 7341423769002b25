-- identity: systems
-- grain: system
-- meaning: systems that files in the lake come from
-- reads: core.batch
SELECT DISTINCT system FROM core.batch WHERE system <> 'mapping' ORDER BY system
