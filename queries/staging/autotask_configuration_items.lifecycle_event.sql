-- When a device came: the day of its installation, else that of its entry into the PSA.
SELECT
  "companyID" AS customer_native_id,
  coalesce("serviceID", 'bundle:' || "serviceBundleID", 'product:' || "productID") AS native_sku,
  'device' AS subject_kind,
  id AS subject_id,
  'provisioned' AS event,
  coalesce("installDate", "createDate") AS event_at,
  'field' AS origin,
  source_row
FROM raw
WHERE coalesce("installDate", "createDate") IS NOT NULL
