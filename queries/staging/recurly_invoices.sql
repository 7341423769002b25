-- Line items net of discounts, and of the tax that they hold; credits negative. Instants at a quarter of an hour are the site's midnights: the
-- nearest of UTC is the day meant. Others, from the second of a sign-up, belong to the day that holds them.
WITH net AS (
  SELECT *, "line.subtotal" - coalesce("line.discount", CAST(0 AS DECIMAL(38, 18)))
              - CASE WHEN "line.tax_inclusive" THEN coalesce("line.tax", CAST(0 AS DECIMAL(38, 18))) ELSE CAST(0 AS DECIMAL(38, 18)) END AS net
  FROM raw
)
SELECT
  id AS invoice_id,
  "line.id" AS line_id,
  "account.code" AS customer_native_id,
  "account.company" AS customer_native_name,
  coalesce("line.item_code", "line.add_on_code", "line.plan_code", "line.product_code") AS native_sku,
  "line.item_id" AS native_product,
  "line.description" AS native_name,
  "line.previous_line_item_id" AS origin_line_id,
  CASE WHEN "line.legacy_category" IN ('applied_credit', 'carryforward') THEN 'memo'
       WHEN "line.type" = 'credit' AND "line.proration_rate" IS NULL THEN 'credit'
       WHEN "line.origin" IN ('plan', 'plan_trial', 'add_on', 'add_on_trial') THEN 'recurring'
       WHEN "line.type" = 'credit' THEN 'credit'
       ELSE 'one_off' END AS kind,
  "line.proration_rate" IS NOT NULL AS is_proration,
  state AS status,
  coalesce("line.quantity_decimal", "line.quantity") AS quantity,
  CASE WHEN "line.tax_inclusive" THEN NULL ELSE abs(coalesce("line.unit_amount_decimal", "line.unit_amount")) END AS unit_price,
  CASE WHEN "line.type" = 'credit' THEN -abs(net) ELSE net END AS amount,
  currency,
  coalesce(site_day("line.start_date"), date_trunc('day', created_at)) AS period_start,
  CASE WHEN "line.end_date" > "line.start_date" THEN site_day("line.end_date") END AS period_end,
  CAST(created_at AS DATE) AS invoice_date,
  created_at AS recorded_at,
  source_row
FROM net
