-- Daily or hourly flows. Quantities of taxes, credits and adjustments are not consumption. Corrections made in different billing
-- periods add up, so theirs is part of what a row is. Prices are those of a pricing unit: where consumption is counted in another, the price is
-- converted, or left out if it does not divide.
SELECT
  coalesce("ProviderName", "ServiceProviderName", "Provider", "InvoiceIssuerName") AS provider,
  coalesce("x_CustomerId", "SubAccountId", "BillingAccountId") AS customer_native_id,
  CASE WHEN "x_CustomerId" IS NULL AND "SubAccountId" IS NULL THEN "BillingAccountName"
       ELSE coalesce("x_CustomerName", "SubAccountName") END AS customer_native_name,
  coalesce("SkuId", "ServiceName") AS native_sku,
  "ServiceName" AS native_name,
  "ResourceId" AS subject_id,
  CASE WHEN "ChargeClass" = 'Correction' THEN concat_ws('|', "SkuPriceId", CAST(CAST("BillingPeriodStart" AS DATE) AS VARCHAR))
       ELSE "SkuPriceId" END AS line_key,
  lower("ChargeCategory") AS category,
  'flow' AS measure,
  coalesce("ConsumedQuantity", "PricingQuantity") AS quantity,
  coalesce("ConsumedUnit", "PricingUnit") AS unit,
  CASE WHEN "ConsumedQuantity" IS NULL OR "ConsumedQuantity" = "PricingQuantity" OR lower("ConsumedUnit") = lower("PricingUnit")
         OR ("PricingQuantity" IS NULL AND "PricingUnit" IS NULL)
       THEN coalesce("ContractedUnitPrice", "x_EffectiveUnitPrice")
       ELSE converted_unit_price(coalesce("ContractedUnitPrice", "x_EffectiveUnitPrice"), "PricingQuantity", "ConsumedQuantity") END AS unit_cost,
  "BilledCost" AS cost,
  "BillingCurrency" AS currency,
  "ChargePeriodStart" AS period_start,
  "ChargePeriodEnd" AS period_end,
  coalesce("ChargeClass", '') = 'Correction' AS is_correction,
  source_row
FROM raw
