-- Lines of recurring invoices: quantity, and the price of a unit and month after discount.
WITH dated AS (
  SELECT *,
         lower(coalesce(billing_period_string, period_string, period)) AS label,
         date_trunc('day', coalesce("line.startdate", startdate, period_start_date, date_trunc('month', arrived_at))) AS from_day,
         date_trunc('day', coalesce("line.enddate", enddate)) AS end_day,
         exact_product(coalesce("line.unit_price_converted", "line.unit_price"),
                       exact_quotient(CAST(100 AS DECIMAL(38, 18)) - coalesce("line.discount_perc", CAST(0 AS DECIMAL(38, 18))),
                                      CAST(100 AS DECIMAL(38, 18)))) AS price,
         coalesce("line.cost_converted", "line.unit_cost") AS cost,
         -- Months of the header's own billing period, whether its end is the last day or the next period's first.
         date_part('year', period_end_date) * 12 + date_part('month', period_end_date)
           - date_part('year', period_start_date) * 12 - date_part('month', period_start_date)
           + CASE WHEN date_part('day', period_end_date) - date_part('day', period_start_date) >= 27 THEN 1 ELSE 0 END AS span
  FROM raw
),
cycled AS (
  SELECT *,
         CASE
           WHEN label LIKE '%quarter%' OR label LIKE '3 month%' OR label LIKE 'three month%' THEN 3
           WHEN label LIKE '6%month%' OR label LIKE 'six%month%' OR label LIKE '%half%' OR label LIKE '%semi%' THEN 6
           WHEN label LIKE '%2 year%' OR label LIKE 'two year%' THEN 24
           WHEN label LIKE '%3 year%' OR label LIKE 'three year%' THEN 36
           WHEN label LIKE '%year%' OR label LIKE '%annual%' THEN 12
           WHEN label LIKE '%month%' THEN 1
           WHEN span > 0 THEN span
           WHEN label = '2' THEN 1
         END AS months
  FROM dated
)
SELECT
  coalesce(nullif(nullif("line.contract_id", '0'), '-1'), nullif(nullif(contract_id, '0'), '-1'), 'recurring:' || id) AS contract_id,
  "line.id" AS line_id,
  coalesce("line.item_code", nullif(nullif("line._itemid", '0'), '-1')) AS native_sku,
  "line.item_shortdescription" AS native_name,
  coalesce("line.qty_order", CAST(0 AS DECIMAL(38, 18))) AS quantity,
  CAST(exact_quotient(price, CAST(months AS DECIMAL(38, 18))) AS DECIMAL(38, 18)) AS unit_price,
  CAST(exact_quotient(cost, CAST(months AS DECIMAL(38, 18))) AS DECIMAL(38, 18)) AS unit_cost,
  label AS billing_cycle,
  CASE
    WHEN "line.isgroupdesc" THEN 'Heading'
    WHEN "line.isinactive" OR disabled THEN 'Inactive'
    WHEN "line.onetimecharge" THEN 'OneTime'
    ELSE 'Billable'
  END AS status,
  from_day AS effective_from,
  CASE
    WHEN "line.isgroupdesc" OR "line.onetimecharge" THEN from_day
    ELSE end_day + INTERVAL '1 day'
  END AS effective_to,
  source_row
FROM cycled
