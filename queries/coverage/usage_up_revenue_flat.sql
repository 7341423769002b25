-- coverage: usage_up_revenue_flat
-- unit: customers and services billed in the quarter
-- grain: customer x service x currency
-- meaning: pairs with a series of at least $min_months months in the window; with a price of units or none that is known
-- reads: facts.fact_monthly, facts.trend_input
WITH heard AS (
  SELECT DISTINCT service_key FROM facts.fact_monthly WHERE is_delivered AND month BETWEEN $quarter_start AND $last_month
),
pair AS (
  SELECT customer_key, service_key, currency, sum(revenue) AS money, bool_or(price_model IN ('unpriced', 'per_unit', 'tiered')) AS is_judged
  FROM facts.fact_monthly
  WHERE month BETWEEN $quarter_start AND $last_month AND is_billed
  GROUP BY customer_key, service_key, currency
),
series AS (
  SELECT customer_key, service_key, currency, count(*) AS months
  FROM facts.trend_input WHERE usage_per_revenue IS NOT NULL
  GROUP BY customer_key, service_key, currency
)
SELECT pair.customer_key, pair.service_key, pair.currency,
       CASE WHEN series.months >= $min_months THEN NULL
            WHEN heard.service_key IS NULL THEN 'no_delivery_source'
            ELSE 'too_short' END AS untested,
       pair.money
FROM pair
LEFT JOIN series
  ON pair.customer_key = series.customer_key AND pair.service_key = series.service_key AND pair.currency = series.currency
LEFT JOIN heard ON pair.service_key = heard.service_key
WHERE series.months IS NOT NULL OR (heard.service_key IS NULL AND pair.is_judged)
