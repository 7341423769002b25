-- identity: customers_in_force
-- grain: row of the customer crosswalk
-- meaning: the crosswalk of customers as the user's files state it now
-- reads: known.customer_map
SELECT system, native_id, native_name, customer_key, customer_name, CAST(CAST(valid_from AS DATE) AS VARCHAR) AS valid_from,
       CAST(CAST(valid_to AS DATE) AS VARCHAR) AS valid_to
FROM known.customer_map
ORDER BY system, customer_key, native_id, valid_from NULLS FIRST
