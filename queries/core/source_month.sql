-- view: core.source_month
-- meaning: what was ingested of each export for each service month: files with rows of it, and rows as they came, later versions of the same
--   thing included. A month that only longer periods reach into (an annual invoice) has no rows
WITH item AS (
  SELECT system, entity, recorded_at, unnest(string_to_array(months, ' ')) AS item FROM core.batch WHERE months <> ''
),
spoken AS (
  SELECT system, entity, recorded_at, CAST(split_part(item, ':', 1) || '-01' AS DATE) AS service_month,
         CAST(split_part(item, ':', 2) AS BIGINT) AS rows
  FROM item
)
SELECT system, entity, service_month, sum(CASE WHEN rows > 0 THEN 1 ELSE 0 END) AS files, sum(rows) AS rows, max(recorded_at) AS recorded_at
FROM spoken
GROUP BY system, entity, service_month
