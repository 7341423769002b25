-- Flows by hour or day. Only covered or metered usage is consumption: taxes, fees, credits, discounts and negations carry cost alone.
SELECT
  coalesce("bill/BillingEntity", 'AWS') AS provider,
  coalesce("lineItem/UsageAccountId", "bill/PayerAccountId") AS customer_native_id,
  nullif(concat_ws(':', "lineItem/ProductCode", "lineItem/UsageType"), '') AS native_sku,
  coalesce("product/ProductName", "lineItem/LineItemDescription") AS native_name,
  "lineItem/ResourceId" AS subject_id,
  "identity/LineItemId" AS line_key,
  CASE
    WHEN lower("lineItem/LineItemType") IN ('usage', 'discountedusage', 'savingsplancoveredusage') THEN 'usage'
    WHEN lower("lineItem/LineItemType") IN ('fee', 'rifee', 'savingsplanupfrontfee', 'savingsplanrecurringfee') THEN 'purchase'
    WHEN lower("lineItem/LineItemType") IN ('credit', 'refund') THEN 'credit'
    WHEN lower("lineItem/LineItemType") = 'tax' THEN 'tax'
    WHEN lower("lineItem/LineItemType") LIKE '%discount' OR lower("lineItem/LineItemType") LIKE '%negation' THEN 'adjustment'
    ELSE lower("lineItem/LineItemType")
  END AS category,
  'flow' AS measure,
  "lineItem/UsageAmount" AS quantity,
  "pricing/unit" AS unit,
  "lineItem/UnblendedRate" AS unit_cost,
  "lineItem/UnblendedCost" AS cost,
  "lineItem/CurrencyCode" AS currency,
  "lineItem/UsageStartDate" AS period_start,
  "lineItem/UsageEndDate" AS period_end,
  lower("lineItem/LineItemType") IN ('credit', 'refund') AS is_correction,
  concat_ws('|', "bill/PayerAccountId", substr(CAST("bill/BillingPeriodStartDate" AS VARCHAR), 1, 7)) AS statement,
  "bill/BillingPeriodStartDate" AS statement_from,
  source_row
FROM raw
