-- Daily or hourly flows. Quantities of taxes, credits and adjustments are not consumption.
SELECT
  "ProviderName" AS provider,
  coalesce("x_CustomerId", "SubAccountId") AS customer_native_id,
  coalesce("x_CustomerName", "SubAccountName") AS customer_native_name,
  coalesce("SkuId", "ServiceName") AS native_sku,
  "ServiceName" AS native_name,
  "ResourceId" AS subject_id,
  "SkuPriceId" AS line_key,
  lower("ChargeCategory") AS category,
  'flow' AS measure,
  coalesce("ConsumedQuantity", "PricingQuantity") AS quantity,
  coalesce("ConsumedUnit", "PricingUnit") AS unit,
  "ContractedUnitPrice" AS unit_cost,
  "BilledCost" AS cost,
  "BillingCurrency" AS currency,
  "ChargePeriodStart" AS period_start,
  "ChargePeriodEnd" AS period_end,
  coalesce("ChargeClass", '') = 'Correction' AS is_correction,
  source_row
FROM raw
