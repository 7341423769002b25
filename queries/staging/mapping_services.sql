-- Crosswalk of services, as kept by hand.
SELECT lower(trim(system)) AS system, native_sku, native_name, service_key, service_name, unit, unit_factor, cost_share, valid_from, valid_to, source_row
FROM raw
