-- fact: service
-- grain: one service
-- meaning: the register of services, with the name that people read and whether vendors report it as a flow
-- reads: facts.service_alias, facts.usage_native
WITH measured AS (
  SELECT alias.service_key, bool_or(usage.measure = 'flow') AS is_flow
  FROM (SELECT DISTINCT system, native_sku, measure FROM facts.usage_native) AS usage
  JOIN facts.service_alias AS alias
    ON usage.system = alias.system AND normalise_id(usage.native_sku) = alias.native_sku
  GROUP BY alias.service_key
)
SELECT alias.service_key, normalise_id(alias.service_key) AS match_key, min(alias.service_name) AS service_name,
       min(alias.unit) AS unit, coalesce(bool_or(measured.is_flow), false) AS is_flow
FROM facts.service_alias AS alias
LEFT JOIN measured ON alias.service_key = measured.service_key
GROUP BY alias.service_key
