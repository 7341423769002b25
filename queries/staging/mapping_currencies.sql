-- Currencies by a system's own numbers, as kept by hand; the system's own currency has no number.
SELECT lower(trim(system)) AS system, currency_id AS native_id, currency, currency_id IS NULL AS is_default, source_row FROM raw
