-- baseline: variance against the previous period
-- grain: customer x service x currency
-- meaning: what a controller does: revenue and billed quantity of the quarter's last month against the month before, and of the quarter
--   against the quarter before; a move of more than a tenth is looked at. It says no amount
-- reads: marts.fact_monthly
WITH period AS (
  -- Moves are compared in shares, so floats will do.
  SELECT customer_key, service_key, currency,
         sum(CASE WHEN month = $last_month THEN CAST(coalesce(revenue, 0) AS DOUBLE) ELSE 0 END) AS month_revenue,
         sum(CASE WHEN month = $last_month - INTERVAL '1 month' THEN CAST(coalesce(revenue, 0) AS DOUBLE) ELSE 0 END) AS month_revenue_before,
         sum(CASE WHEN month = $last_month THEN CAST(coalesce(billed_quantity, 0) AS DOUBLE) ELSE 0 END) AS month_quantity,
         sum(CASE WHEN month = $last_month - INTERVAL '1 month' THEN CAST(coalesce(billed_quantity, 0) AS DOUBLE) ELSE 0 END) AS month_quantity_before,
         sum(CASE WHEN month >= $quarter_start THEN CAST(coalesce(revenue, 0) AS DOUBLE) ELSE 0 END) AS revenue,
         sum(CASE WHEN month < $quarter_start THEN CAST(coalesce(revenue, 0) AS DOUBLE) ELSE 0 END) AS revenue_before,
         sum(CASE WHEN month >= $quarter_start THEN CAST(coalesce(billed_quantity, 0) AS DOUBLE) ELSE 0 END) AS quantity,
         sum(CASE WHEN month < $quarter_start THEN CAST(coalesce(billed_quantity, 0) AS DOUBLE) ELSE 0 END) AS quantity_before
  FROM marts.fact_monthly
  WHERE month BETWEEN $quarter_start - INTERVAL '3 months' AND $last_month
  GROUP BY customer_key, service_key, currency
)
SELECT customer_key, service_key, currency, CAST(NULL AS DECIMAL(38, 18)) AS money
FROM period
WHERE abs(month_revenue - month_revenue_before) > 0.1 * abs(month_revenue_before)
   OR abs(month_quantity - month_quantity_before) > 0.1 * abs(month_quantity_before)
   OR abs(revenue - revenue_before) > 0.1 * abs(revenue_before)
   OR abs(quantity - quantity_before) > 0.1 * abs(quantity_before)
