-- Azure plan usage by day and resource, billed or not yet: the invoice's number is no part of what a row is.
SELECT
  'Microsoft' AS provider,
  CASE WHEN lower("CustomerId") LIKE 'org:%' THEN substr("CustomerId", 5) ELSE "CustomerId" END AS customer_native_id,
  "CustomerName" AS customer_native_name,
  CASE WHEN "SkuId" IS NULL THEN "ProductId" ELSE "ProductId" || ':' || "SkuId" END AS native_sku,
  coalesce("SkuName", "ProductName") AS native_name,
  coalesce("ResourceURI", "EntitlementId") AS subject_id,
  concat_ws('|', "EntitlementId", "MeterId", lower("ChargeType")) AS line_key,
  CASE WHEN lower("ChargeType") IN ('credit', 'customercredit', 'refund') THEN 'credit' ELSE 'usage' END AS category,
  'flow' AS measure,
  "Quantity" AS quantity,
  coalesce("Unit", "UnitType") AS unit,
  "EffectiveUnitPrice" AS unit_cost,
  "BillingPreTaxTotal" AS cost,
  "BillingCurrency" AS currency,
  date_trunc('day', "UsageDate") AS period_start,
  date_trunc('day', "UsageDate") + INTERVAL '1 day' AS period_end,
  "BillingPreTaxTotal" < 0 AS is_correction,
  "InvoiceNumber" AS vendor_invoice,
  source_row
FROM raw
