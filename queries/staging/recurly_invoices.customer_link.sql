-- The MSP's own code of the account, in whatever other system it has it too.
SELECT "account.code" AS native_id, CAST(NULL AS VARCHAR) AS other_system, "account.code" AS other_id, min(source_row) AS source_row
FROM raw
GROUP BY "account.code"
