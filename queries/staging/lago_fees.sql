-- Fees. The day that is meant is the nearest midnight of UTC.
SELECT
  coalesce(lago_invoice_id, '') AS invoice_id,
  lago_id AS line_id,
  external_customer_id AS customer_native_id,
  "item.code" AS native_sku,
  "item.lago_item_id" AS native_product,
  "item.name" AS native_name,
  lago_true_up_parent_fee_id AS origin_line_id,
  CASE WHEN "item.type" IN ('subscription', 'commitment') THEN 'recurring'
       WHEN "item.type" = 'charge' THEN 'usage'
       WHEN "item.type" = 'credit' THEN 'memo'
       ELSE 'one_off' END AS kind,
  false AS is_proration,
  CASE WHEN lago_invoice_id IS NULL OR invoiceable = false THEN 'not_invoiced' ELSE 'finalized' END AS status,
  CASE WHEN "item.type" = 'commitment' OR lago_true_up_parent_fee_id IS NOT NULL THEN NULL ELSE units END AS quantity,
  CASE WHEN "item.type" = 'commitment' OR lago_true_up_parent_fee_id IS NOT NULL THEN NULL ELSE precise_unit_amount END AS unit_price,
  amount_cents AS amount,
  amount_currency AS currency,
  date_trunc('day', coalesce(from_date + INTERVAL '12 hours', created_at, arrived_at)) AS period_start,
  date_trunc('day', to_date + INTERVAL '12 hours') AS period_end,
  CAST(coalesce(created_at, arrived_at) AS DATE) AS invoice_date,
  coalesce(created_at, arrived_at) AS recorded_at,
  source_row
FROM raw
