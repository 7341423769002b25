-- identity: services
-- grain: service x name
-- meaning: every name that a crosswalk or a contract gives a service
-- reads: known.service_map, core_history.contract_line, facts.service_alias
WITH named AS (
  SELECT service_key, service_name AS name FROM facts.service_alias
  UNION
  SELECT service_key, native_name FROM known.service_map
  UNION
  SELECT alias.service_key, line.native_name
  FROM (SELECT DISTINCT system, native_sku, native_name FROM core_history.contract_line) AS line
  JOIN facts.service_alias AS alias ON line.system = alias.system AND normalise_id(line.native_sku) = alias.native_sku
)
SELECT service_key AS key, name FROM named WHERE service_key IS NOT NULL ORDER BY 1, 2
