-- view: core.calendar_gap
-- meaning: months and days between the first and the last of an export that none of its rows speaks of. `grain` is `month` or `day`, `missing`
--   the month's first day or the day, `among` how many there are from the first to the last. A period that reaches into a month speaks of it.
--   Days are looked for where an export speaks of at least nine in ten of them, over four weeks at least, in months in which its rows are of a
--   day each. Credits and pro-rata rows come when something happens, not by the calendar; neither do lists without a service month
WITH item AS (
  SELECT system, entity, unnest(string_to_array(months, ' ')) AS item
  FROM core.batch
  WHERE months <> '' AND entity NOT IN ('credit_notes', 'credit_memos', 'prorata')
),
spoken AS (
  SELECT system, entity, CAST(split_part(item, ':', 1) || '-01' AS DATE) AS service_month, CAST(split_part(item, ':', 3) AS BIGINT) AS days
  FROM item
),
-- Files that were ingested before their months were noted.
unnoted AS (
  SELECT batch.system, batch.entity
  FROM core.batch AS batch
  JOIN (SELECT DISTINCT system, entity FROM item) AS noted ON batch.system = noted.system AND batch.entity = noted.entity
  WHERE batch.months IS NULL AND batch.rows_accepted > 0
  GROUP BY batch.system, batch.entity
),
span AS (
  SELECT spoken.system, spoken.entity, min(spoken.service_month) AS first_month, max(spoken.service_month) AS last_month
  FROM spoken
  LEFT ANTI JOIN unnoted ON spoken.system = unnoted.system AND spoken.entity = unnoted.entity
  GROUP BY spoken.system, spoken.entity
),
every_month AS (
  SELECT system, entity, unnest(generate_series(first_month, last_month, INTERVAL '1 month')) AS month FROM span
),
month_count AS (
  SELECT system, entity, count(*) AS among FROM every_month GROUP BY system, entity
),
missing_month AS (
  SELECT every_month.system, every_month.entity, CAST(every_month.month AS DATE) AS missing
  FROM every_month
  LEFT ANTI JOIN spoken
    ON every_month.system = spoken.system AND every_month.entity = spoken.entity AND CAST(every_month.month AS DATE) = spoken.service_month
),
-- Every day of the months in which rows are of a day each, and whether one speaks of it.
dated AS (
  SELECT spoken.system, spoken.entity, spoken.days,
         unnest(generate_series(spoken.service_month, CAST(spoken.service_month + INTERVAL '1 month' - INTERVAL '1 day' AS DATE),
                                INTERVAL '1 day')) AS day
  FROM spoken
  JOIN span ON spoken.system = span.system AND spoken.entity = span.entity
  WHERE spoken.days > 0
),
day AS (
  SELECT system, entity, CAST(day AS DATE) AS day, max((days >> CAST(date_part('day', day) AS BIGINT)) % 2) AS is_spoken
  FROM dated
  GROUP BY system, entity, day
),
day_span AS (
  SELECT system, entity, min(day) AS first_day, max(day) AS last_day, count(*) AS spoken_days FROM day WHERE is_spoken = 1 GROUP BY system, entity
),
within AS (
  SELECT day.system, day.entity, day.day, day.is_spoken, day_span.spoken_days,
         count(*) OVER (PARTITION BY day.system, day.entity) AS among
  FROM day
  JOIN day_span ON day.system = day_span.system AND day.entity = day_span.entity
  WHERE day.day BETWEEN day_span.first_day AND day_span.last_day
)
SELECT missing_month.system, missing_month.entity, 'month' AS grain, missing_month.missing, month_count.among
FROM missing_month
JOIN month_count ON missing_month.system = month_count.system AND missing_month.entity = month_count.entity
UNION ALL
SELECT system, entity, 'day', day, among
FROM within
WHERE is_spoken = 0 AND among >= 28 AND spoken_days * 10 >= among * 9
