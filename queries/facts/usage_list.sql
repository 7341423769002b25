-- fact: usage_list
-- grain: subscription (customer, SKU, plan, category) x list that shows it
-- meaning: the levels of vendors that only list what is there now, with the days on which each holds: from the list's day to the next list of the
--   customer and SKU, the last one to the end of its month, and the first one from where its row begins (its month, or its creation). Of several
--   lists of one day the newest counts
-- Assumed (inference): between two lists the lower level is what was surely there, as nobody says on which day it changed: more units count from
--   the list that shows them, fewer ones from the day after the list before, if that is a week old at most; after a longer time
--   (one list a month) from the first of the month of the list that shows them. A month without a list stays unknown
-- reads: core_history.vendor_usage
WITH newest AS (
  SELECT *, date_trunc('day', recorded_at) AS day,
         max(recorded_at) OVER (PARTITION BY system, customer_native_id, native_sku, line_key, date_trunc('day', recorded_at)) AS newest_at
  FROM core_history.vendor_usage
  WHERE system = 'google_workspace' AND service_month <= $last_month
),
said AS (SELECT * FROM newest WHERE recorded_at = newest_at),
list AS (
  SELECT system, customer_native_id, native_sku, day, date_trunc('month', day) AS month,
         min(period_start) AS begins_at, coalesce(sum(CASE WHEN category = 'usage' THEN quantity END), CAST(0 AS DECIMAL(38, 18))) AS units
  FROM said
  GROUP BY system, customer_native_id, native_sku, day
),
compared AS (
  SELECT *, lag(day) OVER lists AS day_before, lag(month) OVER lists AS month_before, lag(units) OVER lists AS units_before,
         lead(month) OVER lists AS next_month
  FROM list
  WINDOW lists AS (PARTITION BY system, customer_native_id, native_sku ORDER BY day)
),
since AS (
  SELECT *,
         coalesce(CASE WHEN day_before IS NULL OR month_before < month - INTERVAL '1 month' THEN begins_at
                       WHEN units >= units_before THEN day
                       WHEN day <= day_before + INTERVAL '8 days' THEN day_before + INTERVAL '1 day' END,
                  greatest(day_before + INTERVAL '1 day', month)) AS from_at
  FROM compared
),
held AS (
  SELECT *,
         coalesce(CASE WHEN next_month <= month + INTERVAL '1 month'
                       THEN lead(from_at) OVER (PARTITION BY system, customer_native_id, native_sku ORDER BY day) END,
                  month + INTERVAL '1 month') AS to_at
  FROM since
)
SELECT said.system, said.customer_native_id, said.native_sku, said.service_month, said.currency, said.measure, said.category, said.line_key,
       held.from_at AS period_start, held.to_at AS period_end, said.quantity, said.cost, said.batch_id, said.source_row
FROM said
JOIN held
  ON said.system = held.system AND said.customer_native_id = held.customer_native_id AND said.native_sku = held.native_sku AND said.day = held.day
