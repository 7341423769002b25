-- fact: fx_month
-- grain: currency pair x month
-- meaning: the last rate known within or before the month, both ways
-- reads: known.fx
WITH both_ways AS (
  SELECT CAST(date AS DATE) AS day, from_currency, to_currency, rate, 0 AS preference FROM known.fx
  UNION ALL
  SELECT CAST(date AS DATE), to_currency, from_currency, exact_quotient(CAST(1 AS DECIMAL(38, 18)), rate), 1 FROM known.fx
),
span AS (
  SELECT *, lead(day) OVER (PARTITION BY from_currency, to_currency, preference ORDER BY day) AS next_day FROM both_ways
),
spread AS (
  SELECT *, unnest(generate_series(
    CAST(date_trunc('month', day) AS DATE),
    least(CAST(date_trunc('month', next_day) AS DATE), $last_month), INTERVAL '1 month')) AS month
  FROM span
),
ranked AS (
  SELECT *, row_number() OVER (PARTITION BY from_currency, to_currency, month ORDER BY preference, day DESC) AS place
  FROM spread
)
SELECT from_currency, to_currency, CAST(month AS DATE) AS month, rate FROM ranked WHERE place = 1
