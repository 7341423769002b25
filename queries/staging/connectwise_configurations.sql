-- Devices as the list of a day shows them. There is no deactivation date: lastUpdated is not before it, and lies behind the list before.
SELECT
  "company.id" AS customer_native_id,
  coalesce("type.name", "type.id") AS native_sku,
  'device' AS subject_kind,
  id AS subject_id,
  CASE WHEN "activeFlag" THEN 'active' ELSE 'suspended' END AS state,
  CASE WHEN "activeFlag" THEN "installationDate" ELSE "_info.lastUpdated" END AS state_since,
  source_row
FROM raw
