-- Licence levels per charge period of offers before new commerce. ChargeEndDate is the last billed day (23:59), so the period ends a day
-- later; a line that takes money back takes seats back.
SELECT
  'Microsoft' AS provider,
  CASE WHEN lower("CustomerId") LIKE 'org:%' THEN substr("CustomerId", 5) ELSE "CustomerId" END AS customer_native_id,
  "CustomerName" AS customer_native_name,
  coalesce("DurableOfferId", "OfferId") AS native_sku,
  "OfferName" AS native_name,
  coalesce("SyndicationPartnerSubscriptionNumber", "SubscriptionId") AS subject_id,
  concat_ws('|', "OrderId", lower("ChargeType")) AS line_key,
  CASE WHEN lower("ChargeType") LIKE '%credit%' OR lower("ChargeType") LIKE '%refund%' THEN 'credit' ELSE 'usage' END AS category,
  'level' AS measure,
  CASE WHEN "Subtotal" < 0 AND "Quantity" > 0 THEN -"Quantity" ELSE "Quantity" END AS quantity,
  "UnitPrice" AS unit_cost,
  "Subtotal" AS cost,
  "Currency" AS currency,
  date_trunc('day', "ChargeStartDate") AS period_start,
  date_trunc('day', "ChargeEndDate") + INTERVAL '1 day' AS period_end,
  CASE WHEN "Subtotal" < 0 THEN true END AS is_correction,
  source_row
FROM raw
