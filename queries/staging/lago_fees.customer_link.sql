-- The MSP's own id of the customer, in whatever other system it has it too.
SELECT external_customer_id AS native_id, CAST(NULL AS VARCHAR) AS other_system, external_customer_id AS other_id, min(source_row) AS source_row
FROM raw
WHERE external_customer_id IS NOT NULL
GROUP BY external_customer_id
