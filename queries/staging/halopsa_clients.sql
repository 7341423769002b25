-- The PSA's register of customers.
SELECT id AS native_id, name AS native_name, currencyisocode AS currency, CASE WHEN inactive THEN 'inactive' ELSE 'active' END AS status, source_row
FROM raw
