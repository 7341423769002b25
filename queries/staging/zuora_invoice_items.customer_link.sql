-- The account's number, and its id in the CRM.
SELECT native_id, other_system, other_id, min(source_row) AS source_row
FROM (
  SELECT "Account: ID" AS native_id, CAST(NULL AS VARCHAR) AS other_system, "Account: Account Number" AS other_id, source_row FROM raw
  UNION ALL
  SELECT "Account: ID", 'crm', "Account: CRM Account ID", source_row FROM raw
)
WHERE other_id IS NOT NULL
GROUP BY native_id, other_system, other_id
