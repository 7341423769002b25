-- Credit notes: their amounts are positive in the export and take money back, from the service and period of the line that they name. What
-- is credited is net of the discount that had been given, and of the tax that it holds.
SELECT
  id AS invoice_id,
  "line.id" AS line_id,
  customer AS customer_native_id,
  "line.invoice_line_item" AS origin_line_id,
  "line.description" AS native_name,
  'credit' AS kind,
  false AS is_proration,
  coalesce(status, 'issued') AS status,
  "line.quantity" AS quantity,
  CASE WHEN "line.taxes[tax_behavior=inclusive].amount" <> CAST(0 AS DECIMAL(38, 18)) THEN NULL ELSE "line.unit_amount_decimal" END AS unit_price,
  coalesce("line.discount_amount", CAST(0 AS DECIMAL(38, 18))) + coalesce("line.taxes[tax_behavior=inclusive].amount", CAST(0 AS DECIMAL(38, 18)))
    - "line.amount" AS amount,
  currency,
  coalesce(effective_at, created) AS period_start,
  CAST(coalesce(effective_at, created) AS DATE) AS invoice_date,
  coalesce(created, effective_at, arrived_at) AS recorded_at,
  source_row
FROM raw
