-- Credit notes: positive amounts that take money back, from the service of the invoice's line. A note without a period takes that line's. What
-- Chargebee makes of itself when a subscription changes, pauses or ends in mid-term is no credit: units that are billed no longer, on their days. Days as in invoices.
WITH note AS (
  SELECT *, coalesce(reason_code IN ('subscription_change', 'subscription_cancellation', 'subscription_pause')
                       AND "line.entity_type" IN ('plan', 'addon', 'plan_item_price', 'addon_item_price')
                       AND "line.date_to" > "line.date_from", false) AS is_unused_time
  FROM raw
)
SELECT
  id AS invoice_id,
  "line.id" AS line_id,
  coalesce("line.customer_id", customer_id) AS customer_native_id,
  "line.entity_id" AS native_sku,
  "line.description" AS native_name,
  "line.reference_line_item_id" AS origin_line_id,
  CASE WHEN is_unused_time THEN 'recurring' ELSE 'credit' END AS kind,
  is_unused_time AS is_proration,
  CASE WHEN deleted THEN 'deleted' ELSE status END AS status,
  coalesce("line.quantity_in_decimal", "line.quantity") AS quantity,
  CASE WHEN price_type = 'tax_inclusive' THEN NULL ELSE coalesce("line.unit_amount_in_decimal", "line.unit_amount") END AS unit_price,
  coalesce("line.discount_amount", CAST(0 AS DECIMAL(38, 18))) - "line.amount"
    + CASE WHEN price_type = 'tax_inclusive' THEN coalesce("line.tax_amount", CAST(0 AS DECIMAL(38, 18))) ELSE CAST(0 AS DECIMAL(38, 18)) END AS amount,
  currency_code AS currency,
  coalesce(site_day("line.date_from"), date_trunc('day', date)) AS period_start,
  CASE WHEN "line.date_to" > "line.date_from" THEN site_day("line.date_to") END AS period_end,
  CAST(date AS DATE) AS invoice_date,
  coalesce(generated_at, date) AS recorded_at,
  source_row
FROM note
