-- fact: service
-- grain: one service
-- meaning: the register of services, with the name that people read, whether vendors report it as a flow, and whether its unit is one of
--   storage, traffic or time: no seat, even where a vendor reports it as a level (gigabytes kept).
--   Assumed (inference): the units in the pattern below are all that vendors write for these
-- reads: facts.service_alias, facts.usage_native
WITH measured AS (
  SELECT alias.service_key, bool_or(usage.measure = 'flow') AS is_flow
  FROM (SELECT DISTINCT system, native_sku, measure FROM facts.usage_native) AS usage
  JOIN facts.service_alias AS alias
    ON usage.system = alias.system AND normalise_id(usage.native_sku) = alias.native_sku
  GROUP BY alias.service_key
)
SELECT alias.service_key, normalise_id(alias.service_key) AS match_key, min(alias.service_name) AS service_name,
       min(alias.unit) AS unit, coalesce(bool_or(measured.is_flow), false) AS is_flow,
       coalesce(bool_or(regexp_like(lower(trim(alias.unit)),
                                    '^[0-9., ]*([kmgtp]i?b|(kilo|mega|giga|tera|peta)bytes?|seconds?|min(ute)?s?|h|hrs?|hours?|days?)([ /-].*)?$')),
                false) AS is_volume
FROM facts.service_alias AS alias
LEFT JOIN measured ON alias.service_key = measured.service_key
GROUP BY alias.service_key
