-- view: core.service
-- meaning: one row per service
SELECT service_key, min(service_name) AS service_name, min(unit) AS unit FROM facts.service_alias GROUP BY service_key
