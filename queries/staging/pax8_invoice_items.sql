-- Seats over their period, or the flow of a month where the charge is in arrears; payments, credits and rebates carry cost alone. A credit with a
-- negative quantity of a subscription takes units back, before they are charged anew.
WITH item AS (
  SELECT *, replace(lower("type"), '_', '-') AS kind, lower(term) AS lower_term,
         date_trunc('day', "startPeriod") AS first_day, date_trunc('day', "endPeriod") AS end_day
  FROM raw
)
SELECT
  'Pax8' AS provider,
  "companyId" AS customer_native_id,
  "companyName" AS customer_native_name,
  coalesce(sku, "productId") AS native_sku,
  coalesce("productName", description) AS native_name,
  "subscriptionId" AS subject_id,
  concat_ws('|', coalesce(id, kind), lower_term) AS line_key,
  CASE
    WHEN lower_term = 'trial' THEN 'trial'
    WHEN kind IN ('subscription', 'prorate') THEN 'usage'
    WHEN kind IN ('service-credit', 'invoice-credit') AND quantity < 0 AND "subscriptionId" IS NOT NULL THEN 'usage'
    WHEN kind IN ('rebate', 'payment-credit', 'service-credit', 'invoice-credit') THEN 'credit'
    WHEN kind IN ('one-time', 'service-charge') THEN 'purchase'
    ELSE kind
  END AS category,
  CASE WHEN lower_term = 'arrears' THEN 'flow' ELSE 'level' END AS measure,
  CASE WHEN "costTotal" < 0 AND quantity > 0 THEN -quantity ELSE quantity END AS quantity,
  "unitOfMeasure" AS unit,
  cost AS unit_cost,
  "costTotal" AS cost,
  "currencyCode" AS currency,
  first_day AS period_start,
  CASE
    WHEN end_day IS NULL OR end_day = first_day THEN first_day + INTERVAL '1 day'
    WHEN date_part('day', end_day) IN (1, date_part('day', first_day)) THEN end_day
    ELSE end_day + INTERVAL '1 day'
  END AS period_end,
  CASE WHEN "costTotal" < 0 THEN true END AS is_correction,
  source_row
FROM item
