-- Daily flows. Purchases, refunds and unused commitments carry cost alone; pay-as-you-go exports have no charge type and hold usage.
SELECT
  'Microsoft' AS provider,
  coalesce("SubscriptionGuid", "SubscriptionId", "BillingProfileId", "BillingAccountId") AS customer_native_id,
  coalesce("CustomerName", "SubscriptionName") AS customer_native_name,
  coalesce("MeterId", "PartNumber", "Product") AS native_sku,
  coalesce("Product", "MeterName") AS native_name,
  "ResourceId" AS subject_id,
  nullif(concat_ws('|', "PricingModel", coalesce("BenefitId", "ReservationId", "ProductOrderId")), '') AS line_key,
  CASE lower(coalesce("ChargeType", 'usage'))
    WHEN 'refund' THEN 'credit'
    WHEN 'unusedreservation' THEN 'unused'
    WHEN 'unusedsavingsplan' THEN 'unused'
    WHEN 'roundingadjustment' THEN 'adjustment'
    ELSE lower(coalesce("ChargeType", 'usage'))
  END AS category,
  'flow' AS measure,
  "Quantity" AS quantity,
  "UnitOfMeasure" AS unit,
  "EffectivePrice" AS unit_cost,
  "Cost" AS cost,
  "BillingCurrency" AS currency,
  date_trunc('day', "Date") AS period_start,
  date_trunc('day', "Date") + INTERVAL '1 day' AS period_end,
  lower(coalesce("ChargeType", '')) = 'refund' AS is_correction,
  concat_ws('|', lower(coalesce("SubscriptionGuid", "SubscriptionId", "BillingProfileId", "BillingAccountId")),
            substr(CAST("Date" AS VARCHAR), 1, 7)) AS statement,
  date_trunc('day', "Date") AS statement_from,
  source_row
FROM raw
