-- Devices as a dated list shows them: an inactive one has no date of its own.
SELECT
  "companyID" AS customer_native_id,
  coalesce("serviceID", 'bundle:' || "serviceBundleID", 'product:' || "productID") AS native_sku,
  'device' AS subject_kind,
  id AS subject_id,
  CASE WHEN "isActive" THEN 'active' ELSE 'suspended' END AS state,
  CASE WHEN "isActive" THEN coalesce("installDate", "createDate") END AS state_since,
  source_row
FROM raw
