-- The account's number, and its id in the CRM.
SELECT native_id, other_system, other_id, min(source_row) AS source_row
FROM (
  SELECT "accountId" AS native_id, CAST(NULL AS VARCHAR) AS other_system, "account.accountNumber" AS other_id, source_row FROM raw
  UNION ALL
  SELECT "accountId", 'crm', "account.crmId", source_row FROM raw
)
WHERE other_id IS NOT NULL
GROUP BY native_id, other_system, other_id
