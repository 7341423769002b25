-- fact: customer_span
-- grain: one native customer id of one system, in one span of days
-- meaning: customer_alias without gaps: the days on which an id means nobody stand in it with an empty key, so that what happened on them
--   stays in view
-- reads: facts.customer_alias
WITH placed AS (
  SELECT *,
         lag(valid_to) OVER (PARTITION BY system, native_id ORDER BY coalesce(valid_from, DATE '0001-01-01')) AS previous_to,
         row_number() OVER (PARTITION BY system, native_id ORDER BY coalesce(valid_from, DATE '0001-01-01')) AS place,
         count(*) OVER (PARTITION BY system, native_id) AS places
  FROM facts.customer_alias
  WHERE valid_from IS NULL OR valid_to IS NULL OR valid_from < valid_to
)
SELECT system, native_id, customer_key, valid_from, valid_to FROM placed
UNION ALL
SELECT system, native_id, NULL AS customer_key, previous_to AS valid_from, valid_from AS valid_to FROM placed
WHERE (place = 1 AND valid_from IS NOT NULL) OR (place > 1 AND previous_to < valid_from)
UNION ALL
SELECT system, native_id, NULL AS customer_key, valid_to AS valid_from, CAST(NULL AS DATE) AS valid_to FROM placed WHERE place = places AND valid_to IS NOT NULL
