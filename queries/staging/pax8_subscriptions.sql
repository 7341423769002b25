-- Seats that the vendor holds ready in the month in which the list was taken.
SELECT
  'Pax8' AS provider,
  "companyId" AS customer_native_id,
  "productId" AS native_sku,
  "productName" AS native_name,
  id AS subject_id,
  "billingTerm" AS line_key,
  CASE
    WHEN status = 'Trial' OR "billingTerm" = 'Trial' THEN 'trial'
    WHEN status IN ('Active', 'Activated', 'PendingCancel') THEN 'entitled'
    ELSE lower(status)
  END AS category,
  'level' AS measure,
  quantity,
  "partnerCost" AS unit_cost,
  "currencyCode" AS currency,
  date_trunc('month', arrived_at) AS period_start,
  date_trunc('month', arrived_at) + INTERVAL '1 month' AS period_end,
  false AS is_correction,
  source_row
FROM raw
