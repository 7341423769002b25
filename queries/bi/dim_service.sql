-- table: dim_service
-- title: Services
-- meaning: every service of the crosswalks and of the facts; `(none)` stands for findings about no single service
-- key: service_key
-- columns: service_key: the service, one key for all systems;
--   service_name: its name, for people;
--   unit: what a quantity of it counts, such as `seat`
WITH named AS (
  SELECT service_key, service_name, unit FROM core.service
  UNION ALL SELECT service_key, service_name, NULL FROM marts.finding
  UNION ALL SELECT service_key, NULL, NULL FROM marts.fact_monthly
  UNION ALL SELECT service_key, NULL, NULL FROM marts.gap_bridge
  UNION ALL SELECT service_key, NULL, NULL FROM marts.finding_evidence
  UNION ALL SELECT service_key, NULL, NULL FROM marts.recovered
)
SELECT service_key, coalesce(min(service_name), service_key) AS service_name, min(unit) AS unit FROM named WHERE service_key IS NOT NULL GROUP BY service_key
UNION ALL SELECT '(none)', 'No single service', NULL
