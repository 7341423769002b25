-- fact: trend_test
-- grain: customer x service x currency x measure
-- meaning: the statistics of every series that was long enough to be tested, whatever they say; also the trends of its parts
-- reads: facts.trend_input, facts.trend_baseline
-- kernels: mann_kendall, theil_sen
WITH long AS (
  SELECT customer_key, service_key, currency, month, x, 'usage_per_revenue' AS measure, usage_per_revenue AS y,
         ln(CAST(delivered_quantity AS DOUBLE)) AS rising_part, ln(CAST(revenue AS DOUBLE)) AS resting_part
  FROM facts.trend_input WHERE usage_per_revenue IS NOT NULL
  UNION ALL
  SELECT customer_key, service_key, currency, month, x, 'cost_per_charge', cost_per_charge,
         ln(CAST(cost_original AS DOUBLE)) - CASE WHEN delivered_quantity > 0 THEN ln(CAST(delivered_quantity AS DOUBLE)) ELSE 0.0 END,
         ln(CAST(revenue AS DOUBLE))
  FROM facts.trend_input WHERE cost_per_charge IS NOT NULL
  UNION ALL
  SELECT customer_key, service_key, currency, month, x, 'revenue_per_active', revenue_per_active,
         -revenue_per_active, ln(CAST(active_subjects AS DOUBLE))
  FROM facts.trend_input WHERE revenue_per_active IS NOT NULL
)
SELECT long.customer_key, long.service_key, long.currency, long.measure, baseline.months, baseline.level, baseline.level_low, baseline.level_high,
       mann_kendall(x, y) AS trend, theil_sen(x, y) AS line,
       mann_kendall(x, rising_part) AS rising, theil_sen(x, rising_part) AS rising_line,
       mann_kendall(x, resting_part) AS resting, theil_sen(x, resting_part) AS resting_line,
       max(CASE WHEN y <= baseline.y_high + 1e-9 THEN month END) AS last_month_as_high_as_before,
       max(CASE WHEN y >= baseline.y_low - 1e-9 THEN month END) AS last_month_as_low_as_before
FROM long
JOIN facts.trend_baseline AS baseline
  ON long.customer_key = baseline.customer_key AND long.service_key = baseline.service_key
  AND long.currency = baseline.currency AND long.measure = baseline.measure
GROUP BY long.customer_key, long.service_key, long.currency, long.measure, baseline.months, baseline.level, baseline.level_low, baseline.level_high
