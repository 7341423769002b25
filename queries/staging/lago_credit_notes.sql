-- Credit notes: positive amounts that take money back, from the service and period of the fee that they name.
SELECT
  lago_id AS invoice_id,
  "line.lago_id" AS line_id,
  "line.fee.external_customer_id" AS customer_native_id,
  "line.fee.item.code" AS native_sku,
  "line.fee.item.lago_item_id" AS native_product,
  "line.fee.item.name" AS native_name,
  "line.fee.lago_id" AS origin_line_id,
  'credit' AS kind,
  false AS is_proration,
  'issued' AS status,
  -"line.amount_cents" AS amount,
  currency,
  date_trunc('day', issuing_date) AS period_start,
  CAST(issuing_date AS DATE) AS invoice_date,
  coalesce(created_at, arrived_at) AS recorded_at,
  source_row
FROM raw
