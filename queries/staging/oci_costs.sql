-- Hourly flows. A correction adds to the line whose number it refers to. A line without a currency costs nothing: it is in that of its tenancy,
-- else of the report, if there is only one; a cost without a currency is never given one from elsewhere.
WITH tenancy AS (
  SELECT "lineItem/tenantId" AS tenant, min("cost/currencyCode") AS currency
  FROM raw GROUP BY "lineItem/tenantId" HAVING min("cost/currencyCode") = max("cost/currencyCode")
),
report AS (
  SELECT min("cost/currencyCode") AS currency FROM raw HAVING min("cost/currencyCode") = max("cost/currencyCode")
)
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
  coalesce("cost/currencyCode", CASE WHEN "cost/myCost" = 0 OR "cost/myCost" IS NULL THEN coalesce(tenancy.currency, report.currency) END) AS currency,
  "lineItem/intervalUsageStart" AS period_start,
  "lineItem/intervalUsageEnd" AS period_end,
  coalesce("lineItem/isCorrection", false) AS is_correction,
  source_row
FROM raw
LEFT JOIN tenancy ON "lineItem/tenantId" = tenancy.tenant
LEFT JOIN report ON true
