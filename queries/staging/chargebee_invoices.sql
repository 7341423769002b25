-- Invoice lines net of discounts, and of the tax that they hold. Instants at a quarter of an hour are the site's midnights: the nearest of UTC
-- is the day meant. Others, from the second of an activation, belong to the day that holds them.
SELECT
  id AS invoice_id,
  "line.id" AS line_id,
  coalesce("line.customer_id", customer_id) AS customer_native_id,
  "line.entity_id" AS native_sku,
  "line.description" AS native_name,
  CASE WHEN "line.metered" THEN 'usage'
       WHEN "line.entity_type" IN ('plan', 'addon', 'plan_item_price', 'addon_item_price') THEN 'recurring'
       ELSE 'one_off' END AS kind,
  false AS is_proration,
  CASE WHEN deleted THEN 'deleted' WHEN status = 'pending' THEN 'draft' ELSE status END AS status,
  coalesce("line.quantity_in_decimal", "line.quantity") AS quantity,
  CASE WHEN price_type = 'tax_inclusive' THEN NULL ELSE coalesce("line.unit_amount_in_decimal", "line.unit_amount") END AS unit_price,
  "line.amount" - coalesce("line.discount_amount", CAST(0 AS DECIMAL(38, 18)))
    - CASE WHEN price_type = 'tax_inclusive' THEN coalesce("line.tax_amount", CAST(0 AS DECIMAL(38, 18))) ELSE CAST(0 AS DECIMAL(38, 18)) END AS amount,
  currency_code AS currency,
  coalesce(site_day("line.date_from"), date_trunc('day', date)) AS period_start,
  CASE WHEN "line.date_to" > "line.date_from" THEN site_day("line.date_to") END AS period_end,
  CAST(date AS DATE) AS invoice_date,
  coalesce(generated_at, date) AS recorded_at,
  source_row
FROM raw
