-- When service months stopped being billable in the normal run.
SELECT lower(trim(system)) AS system, customer_key, CAST(service_month AS DATE) AS service_month, CAST(cutoff_date AS DATE) AS cutoff_date, source_row
FROM raw
