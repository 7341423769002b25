-- Devices. There is no deactivation date: the first snapshot that shows one inactive dates it, lastUpdated where present.
SELECT
  "company.id" AS customer_native_id,
  coalesce("type.name", "type.id") AS native_sku,
  'device' AS subject_kind,
  id AS subject_id,
  CASE WHEN "activeFlag" THEN 'provisioned' ELSE 'suspended' END AS event,
  CASE WHEN "activeFlag" THEN coalesce("installationDate", "_info.lastUpdated", arrived_at)
       ELSE coalesce("_info.lastUpdated", arrived_at) END AS event_at,
  'field' AS origin,
  source_row
FROM raw
