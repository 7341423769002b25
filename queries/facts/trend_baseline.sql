-- fact: trend_baseline
-- grain: customer x service x currency x measure
-- meaning: each series' first third, at most half a year: what was normal before, never a tested month. Short series have at least two
-- reads: facts.trend_input
WITH long AS (
  SELECT customer_key, service_key, currency, month, 'usage_per_revenue' AS measure, usage_per_revenue AS y,
         exact_quotient(usage_charge, usage_worth) AS level
  FROM facts.trend_input WHERE usage_per_revenue IS NOT NULL
  UNION ALL
  SELECT customer_key, service_key, currency, month, 'cost_per_charge', cost_per_charge,
         exact_quotient(levelled_cost, CASE WHEN price_model = 'per_unit' THEN exact_product(cost_units, levelled_price) ELSE revenue END)
  FROM facts.trend_input WHERE cost_per_charge IS NOT NULL
  UNION ALL
  SELECT customer_key, service_key, currency, month, 'revenue_per_active', revenue_per_active,
         exact_quotient(levelled_revenue, seats_worth)
  FROM facts.trend_input WHERE revenue_per_active IS NOT NULL
  UNION ALL
  SELECT customer_key, service_key, currency, month, 'billed_by_contract', billed_by_contract,
         exact_quotient(levelled_revenue, expected_billed_revenue)
  FROM facts.trend_input WHERE billed_by_contract IS NOT NULL
),
placed AS (
  SELECT *, row_number() OVER (PARTITION BY customer_key, service_key, currency, measure ORDER BY month) AS place,
         count(*) OVER (PARTITION BY customer_key, service_key, currency, measure) AS months
  FROM long
)
SELECT customer_key, service_key, currency, measure, months,
       median(level) FILTER (WHERE place <= greatest(2, least(6, months / 3))) AS level,
       min(level) FILTER (WHERE place <= greatest(2, least(6, months / 3))) AS level_low,
       max(level) FILTER (WHERE place <= greatest(2, least(6, months / 3))) AS level_high,
       avg(y) FILTER (WHERE place <= greatest(2, least(6, months / 3))) AS y_mean,
       stddev(y) FILTER (WHERE place <= greatest(2, least(6, months / 3))) AS y_deviation,
       greatest(2, least(6, months / 3)) AS baseline_months,
       min(y) FILTER (WHERE place <= greatest(2, least(6, months / 3))) AS y_low,
       max(y) FILTER (WHERE place <= greatest(2, least(6, months / 3))) AS y_high
FROM placed
WHERE months >= $min_months
GROUP BY customer_key, service_key, currency, measure, months
