-- fact: service_span
-- grain: one native SKU of one system, in one span of days; a bundle has a row for each of its services
-- meaning: service_alias without gaps: the days on which a SKU means no service stand in it with an empty key
-- reads: facts.service_alias
WITH held AS (
  SELECT * FROM facts.service_alias WHERE valid_from IS NULL OR valid_to IS NULL OR valid_from < valid_to
),
placed AS (
  SELECT *,
         lag(valid_to) OVER (PARTITION BY system, native_sku ORDER BY coalesce(valid_from, DATE '0001-01-01')) AS previous_to,
         row_number() OVER (PARTITION BY system, native_sku ORDER BY coalesce(valid_from, DATE '0001-01-01')) AS place,
         count(*) OVER (PARTITION BY system, native_sku) AS places
  FROM (SELECT DISTINCT system, native_sku, valid_from, valid_to FROM held)
)
SELECT system, native_sku, service_key, unit_factor, share_from, share_to, valid_from, valid_to FROM held
UNION ALL
SELECT system, native_sku, NULL AS service_key, CAST(NULL AS DECIMAL(38, 18)) AS unit_factor, CAST(NULL AS DECIMAL(38, 18)) AS share_from,
       CAST(NULL AS DECIMAL(38, 18)) AS share_to, previous_to AS valid_from, valid_from AS valid_to FROM placed
WHERE (place = 1 AND valid_from IS NOT NULL) OR (place > 1 AND previous_to < valid_from)
UNION ALL
SELECT system, native_sku, NULL AS service_key, CAST(NULL AS DECIMAL(38, 18)) AS unit_factor, CAST(NULL AS DECIMAL(38, 18)) AS share_from,
       CAST(NULL AS DECIMAL(38, 18)) AS share_to, valid_to AS valid_from, CAST(NULL AS DATE) AS valid_to
FROM placed WHERE place = places AND valid_to IS NOT NULL
