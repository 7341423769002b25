-- view: core.watermark
-- meaning: how far each export reaches: the first and the last month that its rows speak of, the last day where a row is of a day, and when
--   the newest of its files became known. Exports whose rows have no service month (contracts, customers) reach as far as their newest file
WITH item AS (
  SELECT batch_id, unnest(string_to_array(months, ' ')) AS item FROM core.batch WHERE months <> ''
),
spoken AS (
  SELECT batch_id, CAST(split_part(item, ':', 1) || '-01' AS DATE) AS service_month, CAST(split_part(item, ':', 3) AS BIGINT) AS days
  FROM item
),
reach AS (
  SELECT batch_id, min(service_month) AS first_month, max(service_month) AS last_month FROM spoken GROUP BY batch_id
),
day_reach AS (
  SELECT batch_id, max(CAST(day AS DATE)) AS last_day
  FROM (
    SELECT batch_id, days, unnest(generate_series(service_month, CAST(service_month + INTERVAL '1 month' - INTERVAL '1 day' AS DATE),
                                                  INTERVAL '1 day')) AS day
    FROM spoken WHERE days > 0
  )
  WHERE (days >> CAST(date_part('day', day) AS BIGINT)) % 2 = 1
  GROUP BY batch_id
)
SELECT batch.system, batch.entity, min(reach.first_month) AS first_month, max(reach.last_month) AS last_month, max(day_reach.last_day) AS last_day,
       max(batch.recorded_at) AS recorded_at, count(*) AS files, sum(batch.rows_accepted) AS rows, sum(batch.rows_rejected) AS rows_rejected
FROM core.batch AS batch
LEFT JOIN reach ON batch.batch_id = reach.batch_id
LEFT JOIN day_reach ON batch.batch_id = day_reach.batch_id
GROUP BY batch.system, batch.entity
