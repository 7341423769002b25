-- Licence levels per charge period. ChargeEndDate is the last billed day, so the period ends a day later; a line that takes money
-- back takes seats back.
SELECT
  'Microsoft' AS provider,
  CASE WHEN lower("CustomerId") LIKE 'org:%' THEN substr("CustomerId", 5) ELSE "CustomerId" END AS customer_native_id,
  "CustomerName" AS customer_native_name,
  CASE WHEN "SkuId" IS NULL THEN "ProductId" ELSE "ProductId" || ':' || "SkuId" END AS native_sku,
  coalesce("SkuName", "ProductName") AS native_name,
  "SubscriptionId" AS subject_id,
  concat_ws('|', "InvoiceNumber", "OrderId", lower("ChargeType")) AS line_key,
  CASE
    WHEN lower("TermAndBillingCycle") LIKE '%trial%' THEN 'trial'
    WHEN lower("ChargeType") IN ('credit', 'customercredit', 'refund') OR "CreditReasonCode" IS NOT NULL THEN 'credit'
    ELSE 'usage'
  END AS category,
  'level' AS measure,
  CASE WHEN "Subtotal" < 0 AND coalesce("BillableQuantity", "Quantity") > 0
       THEN -coalesce("BillableQuantity", "Quantity") ELSE coalesce("BillableQuantity", "Quantity") END AS quantity,
  "UnitType" AS unit,
  "EffectiveUnitPrice" AS unit_cost,
  "Subtotal" AS cost,
  "Currency" AS currency,
  date_trunc('day', "ChargeStartDate") AS period_start,
  date_trunc('day', "ChargeEndDate") + INTERVAL '1 day' AS period_end,
  CASE WHEN "Subtotal" < 0 THEN true END AS is_correction,
  source_row
FROM raw
