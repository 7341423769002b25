-- Hourly flows. A correction adds to the line whose number it refers to.
SELECT
  'Oracle' AS provider,
  "lineItem/tenantId" AS customer_native_id,
  "product/compartmentName" AS customer_native_name,
  "cost/productSku" AS native_sku,
  coalesce("product/Description", "product/service") AS native_name,
  "product/resourceId" AS subject_id,
  CASE WHEN "lineItem/isCorrection" THEN concat_ws('|', "lineItem/referenceNo", "lineItem/backreferenceNo")
       ELSE "lineItem/referenceNo" END AS line_key,
  'usage' AS category,
  'flow' AS measure,
  "usage/billedQuantity" AS quantity,
  coalesce("cost/billingUnitReadable", "cost/skuUnitDescription") AS unit,
  "cost/unitPrice" AS unit_cost,
  "cost/myCost" AS cost,
  "cost/currencyCode" AS currency,
  "lineItem/intervalUsageStart" AS period_start,
  "lineItem/intervalUsageEnd" AS period_end,
  coalesce("lineItem/isCorrection", false) AS is_correction,
  source_row
FROM raw
