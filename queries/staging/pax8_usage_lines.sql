-- Daily flows. partnerTotal is the cost, unitPrice and currentCharges are the customer's side.
SELECT
  'Pax8' AS provider,
  coalesce("companyId", "subscriptionId", "usageSummaryId") AS customer_native_id,
  "productId" AS native_sku,
  "productName" AS native_name,
  coalesce("resourceGroup", "subscriptionId") AS subject_id,
  "usageSummaryId" AS line_key,
  CASE WHEN coalesce("isTrial", false) THEN 'trial' ELSE 'usage' END AS category,
  'flow' AS measure,
  quantity,
  "unitOfMeasure" AS unit,
  "partnerTotal" AS cost,
  "currencyCode" AS currency,
  date_trunc('day', "usageDate") AS period_start,
  date_trunc('day', "usageDate") + INTERVAL '1 day' AS period_end,
  "partnerTotal" < 0 AS is_correction,
  source_row
FROM raw
