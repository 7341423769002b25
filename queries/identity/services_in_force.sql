-- identity: services_in_force
-- grain: row of the service crosswalk
-- meaning: the crosswalk of services as the user's files state it now
-- reads: known.service_map
SELECT system, native_sku, native_name, service_key, service_name, unit, unit_factor, cost_share, CAST(CAST(valid_from AS DATE) AS VARCHAR) AS valid_from,
       CAST(CAST(valid_to AS DATE) AS VARCHAR) AS valid_to
FROM known.service_map
ORDER BY system, service_key, native_sku, valid_from NULLS FIRST
