-- baseline: z-score of each series
-- grain: customer x service x currency
-- meaning: what anomaly detection does: a month of revenue, delivered quantity or cost that lies more than three standard deviations off
--   the twelve months before it (six at least). Moves of less than a hundredth are let pass where a series never moved. It says no amount
-- reads: marts.fact_monthly
WITH series AS (
  SELECT customer_key, service_key, currency, month, 'revenue' AS name, CAST(coalesce(revenue, 0) AS DOUBLE) AS value FROM marts.fact_monthly
  UNION ALL
  SELECT customer_key, service_key, currency, month, 'delivered', CAST(coalesce(delivered_quantity, 0) AS DOUBLE) FROM marts.fact_monthly
  UNION ALL
  SELECT customer_key, service_key, currency, month, 'cost', CAST(coalesce(cost, 0) AS DOUBLE) FROM marts.fact_monthly
),
baseline AS (
  SELECT *, avg(value) OVER earlier AS mean, stddev_samp(value) OVER earlier AS deviation, count(value) OVER earlier AS months
  FROM series
  WHERE month <= $last_month
  WINDOW earlier AS (PARTITION BY customer_key, service_key, currency, name ORDER BY month ROWS BETWEEN 12 PRECEDING AND 1 PRECEDING)
)
SELECT DISTINCT customer_key, service_key, currency, CAST(NULL AS DECIMAL(38, 18)) AS money
FROM baseline
WHERE month >= $quarter_start AND months >= 6
  AND abs(value - mean) > greatest(3 * deviation, 0.01 * abs(mean))
