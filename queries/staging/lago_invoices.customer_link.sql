-- The MSP's own id of the customer, in whatever other system it has it too.
SELECT "customer.external_id" AS native_id, CAST(NULL AS VARCHAR) AS other_system, "customer.external_id" AS other_id, min(source_row) AS source_row
FROM raw
GROUP BY "customer.external_id"
