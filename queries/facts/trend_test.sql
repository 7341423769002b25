-- fact: trend_test
-- grain: customer x service x currency x measure
-- meaning: the statistics of every series that was long enough to be tested, whatever they say; also the trends of its parts.
--   p_value answers one question, "did the ratio move the harmful way", by three one-sided tests, Bonferroni-combined: a monotone trend
--   (Mann-Kendall), a step (change point), and the quarter against the series' own baseline (Student's t with 4 degrees of freedom, whose
--   tail is below 3 / t^4; the deviation is taken four-fold, as neighbouring months of a short baseline resemble each other). Two
--   thousandths are rounding of invoices, in whether a month was as high or low as before. `own_moved` and `other_moved` say whose move it is:
--   how far the part that the signal is about, and the one that another signal is about, went the harmful way from baseline to quarter
-- reads: facts.trend_input, facts.trend_baseline
-- kernels: mann_kendall, theil_sen, change_point
WITH long AS (
  SELECT customer_key, service_key, currency, month, x, 'usage_per_revenue' AS measure, 1.0 AS harmful, usage_per_revenue AS y,
         ln(CAST(delivered_quantity AS DOUBLE)) AS rising_part, ln(CAST(revenue AS DOUBLE)) AS resting_part,
         usage_per_billed AS own_part, -charge_per_billed AS other_part
  FROM facts.trend_input WHERE usage_per_revenue IS NOT NULL
  UNION ALL
  SELECT customer_key, service_key, currency, month, x, 'cost_per_charge', 1.0, cost_per_charge,
         ln(CAST(levelled_cost AS DOUBLE)) - CASE WHEN delivered_quantity > 0 THEN ln(CAST(delivered_quantity AS DOUBLE)) ELSE 0.0 END,
         ln(CAST(revenue AS DOUBLE)), unit_cost, -charge_per_billed
  FROM facts.trend_input WHERE cost_per_charge IS NOT NULL
  UNION ALL
  SELECT customer_key, service_key, currency, month, x, 'revenue_per_active', -1.0, revenue_per_active,
         -revenue_per_active, ln(CAST(seats AS DOUBLE)), -charge_per_billed, NULL
  FROM facts.trend_input WHERE revenue_per_active IS NOT NULL
  UNION ALL
  SELECT customer_key, service_key, currency, month, x, 'billed_by_contract', -1.0, billed_by_contract,
         -billed_by_contract, ln(CAST(expected_billed_revenue AS DOUBLE)), -billed_by_contract, NULL
  FROM facts.trend_input WHERE billed_by_contract IS NOT NULL
),
placed AS (
  SELECT *, row_number() OVER (PARTITION BY customer_key, service_key, currency, measure ORDER BY month) AS place FROM long
),
measured AS (
  SELECT placed.customer_key, placed.service_key, placed.currency, placed.measure, placed.harmful, baseline.months, baseline.baseline_months,
         baseline.level, baseline.level_low, baseline.level_high, baseline.y_mean, baseline.y_deviation,
         mann_kendall(x, y) AS trend, theil_sen(x, y) AS line, change_point(x, y) AS step,
         mann_kendall(x, rising_part) AS rising, theil_sen(x, rising_part) AS rising_line,
         mann_kendall(x, resting_part) AS resting, theil_sen(x, resting_part) AS resting_line,
         avg(own_part) FILTER (WHERE month >= $quarter_start) - avg(own_part) FILTER (WHERE place <= baseline.baseline_months) AS own_moved,
         avg(other_part) FILTER (WHERE month >= $quarter_start) - avg(other_part) FILTER (WHERE place <= baseline.baseline_months) AS other_moved,
         avg(y) FILTER (WHERE month >= $quarter_start) AS y_now,
         max(CASE WHEN y <= baseline.y_high + 0.002 THEN month END) AS last_month_as_high_as_before,
         max(CASE WHEN y >= baseline.y_low - 0.002 THEN month END) AS last_month_as_low_as_before
  FROM placed
  JOIN facts.trend_baseline AS baseline
    ON placed.customer_key = baseline.customer_key AND placed.service_key = baseline.service_key
    AND placed.currency = baseline.currency AND placed.measure = baseline.measure
  GROUP BY placed.customer_key, placed.service_key, placed.currency, placed.measure, placed.harmful, baseline.months, baseline.baseline_months,
           baseline.level, baseline.level_low, baseline.level_high, baseline.y_mean, baseline.y_deviation
),
judged AS (
  SELECT *, harmful * (y_now - y_mean) AS moved,
         harmful * (y_now - y_mean) / (4.0 * coalesce(y_deviation, 0.0) + 1e-4) AS t
  FROM measured
)
SELECT customer_key, service_key, currency, measure, months, level, level_low, level_high, moved,
       trend, line, step, rising, rising_line, resting, resting_line, own_moved, other_moved,
       last_month_as_high_as_before, last_month_as_low_as_before,
       least(1.0, 1.5 * least(
         CASE WHEN harmful * line['slope'] > 0 THEN trend['p'] ELSE 1.0 END,
         CASE WHEN harmful * step['step'] > 0 THEN step['p'] ELSE 1.0 END,
         CASE WHEN baseline_months >= 5 AND t > 3.0 THEN 6.0 / power(t, 4) ELSE 1.0 END)) AS p_value
FROM judged
