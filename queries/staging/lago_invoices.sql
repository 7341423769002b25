-- Fees of invoices, and what was taken off the whole of them. The day that is meant is the nearest midnight of UTC.
SELECT
  lago_id AS invoice_id,
  "line.lago_id" AS line_id,
  "customer.external_id" AS customer_native_id,
  "customer.name" AS customer_native_name,
  CASE WHEN "line.item.type" = 'coupon' THEN 'coupon:' || coalesce("line.item.code", '') ELSE "line.item.code" END AS native_sku,
  "line.item.lago_item_id" AS native_product,
  "line.item.name" AS native_name,
  "line.lago_true_up_parent_fee_id" AS origin_line_id,
  CASE WHEN "line.item.type" IN ('subscription', 'commitment', 'coupon') THEN 'recurring'
       WHEN "line.item.type" = 'charge' THEN 'usage'
       WHEN "line.item.type" IN ('credit', 'credit_note') THEN 'memo'
       WHEN "line.item.type" = 'invoice' THEN 'credit'
       ELSE 'one_off' END AS kind,
  false AS is_proration,
  CASE WHEN status IN ('generating', 'pending', 'open', 'failed') THEN 'draft'
       WHEN "line.invoiceable" = false THEN 'not_invoiced' ELSE status END AS status,
  CASE WHEN "line.item.type" = 'commitment' OR "line.lago_true_up_parent_fee_id" IS NOT NULL THEN NULL ELSE "line.units" END AS quantity,
  CASE WHEN "line.item.type" = 'commitment' OR "line.lago_true_up_parent_fee_id" IS NOT NULL THEN NULL ELSE "line.precise_unit_amount" END AS unit_price,
  CASE WHEN "line.item.type" IN ('coupon', 'credit_note', 'invoice') THEN -"line.amount_cents" ELSE "line.amount_cents" END AS amount,
  currency,
  coalesce(date_trunc('day', "line.from_date" + INTERVAL '12 hours'), issuing_date) AS period_start,
  date_trunc('day', "line.to_date" + INTERVAL '12 hours') AS period_end,
  CAST(issuing_date AS DATE) AS invoice_date,
  coalesce(created_at, arrived_at) AS recorded_at,
  source_row
FROM raw
