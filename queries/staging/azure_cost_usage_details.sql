-- Daily flows of an agreement whose file names no currency: the system's own counts (facts/usage_keyed).
SELECT
  'Microsoft' AS provider,
  "SubscriptionGuid" AS customer_native_id,
  "Subscription Name" AS customer_native_name,
  coalesce("Meter ID", "Product") AS native_sku,
  coalesce("Product", "Meter Name") AS native_name,
  "Instance ID" AS subject_id,
  'usage' AS category,
  'flow' AS measure,
  "Consumed Quantity" AS quantity,
  "Unit Of Measure" AS unit,
  "ResourceRate" AS unit_cost,
  "ExtendedCost" AS cost,
  date_trunc('day', "Date") AS period_start,
  date_trunc('day', "Date") + INTERVAL '1 day' AS period_end,
  false AS is_correction,
  concat_ws('|', lower("SubscriptionGuid"), substr(CAST("Date" AS VARCHAR), 1, 7)) AS statement,
  date_trunc('day', "Date") AS statement_from,
  source_row
FROM raw
