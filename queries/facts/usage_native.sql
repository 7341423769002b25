-- fact: usage_native
-- grain: native customer x SKU x month x currency, levels and charges that leave their month by their period; by day for ids that change
--   their meaning within a month
-- meaning: vendor usage summed where the crosswalk is not yet needed, mostly from sums that were made when it landed. Where a crosswalk changes on another
--   day than the first of a month, the days of its ids are kept apart: a second pass over their rows alone. Rows with a `known_on` are
--   versions of what came late (facts/usage_version.sql), beside the truth and not part of it. What vendors only list as of a day holds from
--   list to list (facts/usage_list.sql)
-- reads: known.usage_sum, known.vendor_usage, facts.usage_list, facts.customer_alias, facts.service_alias, facts.usage_version
WITH stated AS (
  SELECT system, customer_native_id, native_sku, service_month, currency, measure, category, period_start, period_end, quantity, cost
  FROM known.vendor_usage
  WHERE system <> 'google_workspace'
  UNION ALL
  SELECT system, customer_native_id, native_sku, service_month, currency, measure, category, period_start, period_end, quantity, cost
  FROM facts.usage_list
),
moved AS (
  SELECT DISTINCT system, native_id FROM facts.customer_alias WHERE date_part('day', valid_from) <> 1 OR date_part('day', valid_to) <> 1
),
changed AS (
  SELECT DISTINCT system, native_sku FROM facts.service_alias WHERE date_part('day', valid_from) <> 1 OR date_part('day', valid_to) <> 1
),
part AS (
  SELECT system, customer_native_id, native_sku, service_month, currency, measure, category, from_at, to_at, quantity, cost, source_rows
  FROM known.usage_sum
  WHERE system <> 'google_workspace'
  UNION ALL
  SELECT system, customer_native_id, native_sku, service_month, currency, measure, category,
         segment_start(measure, period_start, period_end), segment_end(measure, period_start, period_end),
         CASE WHEN category IN ('usage', 'trial') THEN quantity END, cost, 1
  FROM facts.usage_list
),
summed AS (
  SELECT system, customer_native_id, native_sku, service_month, currency, measure, category, from_at, to_at,
         sum(quantity) AS quantity, sum(cost) AS cost, sum(source_rows) AS source_rows
  FROM part
  WHERE service_month <= $last_month
  GROUP BY system, customer_native_id, native_sku, service_month, currency, measure, category, from_at, to_at
),
kept AS (
  SELECT summed.* FROM summed
  LEFT ANTI JOIN moved ON summed.system = moved.system AND normalise_id(summed.customer_native_id) = moved.native_id
),
unchanged AS (
  SELECT kept.* FROM kept
  LEFT ANTI JOIN changed ON kept.system = changed.system AND normalise_id(kept.native_sku) = changed.native_sku
),
whole AS (
  SELECT unchanged.* FROM unchanged
  LEFT ANTI JOIN changed ON unchanged.system = changed.system AND split_part(normalise_id(unchanged.native_sku), ':', 1) = changed.native_sku
),
-- The small side first: where nothing changes within a month, the table is not read again.
of_moved AS (
  SELECT usage.system, usage.customer_native_id, usage.native_sku, usage.service_month, usage.currency, usage.measure, usage.category,
         usage.period_start, usage.period_end, usage.quantity, usage.cost
  FROM moved
  JOIN stated AS usage ON moved.system = usage.system AND moved.native_id = normalise_id(usage.customer_native_id)
),
of_changed AS (
  SELECT usage.system, usage.customer_native_id, usage.native_sku, usage.service_month, usage.currency, usage.measure, usage.category,
         usage.period_start, usage.period_end, usage.quantity, usage.cost
  FROM changed
  JOIN stated AS usage ON changed.system = usage.system AND changed.native_sku = normalise_id(usage.native_sku)
  UNION ALL
  SELECT usage.system, usage.customer_native_id, usage.native_sku, usage.service_month, usage.currency, usage.measure, usage.category,
         usage.period_start, usage.period_end, usage.quantity, usage.cost
  FROM changed
  JOIN stated AS usage
    ON changed.system = usage.system AND changed.native_sku = split_part(normalise_id(usage.native_sku), ':', 1)
  WHERE changed.native_sku <> normalise_id(usage.native_sku)
),
only_changed AS (
  SELECT of_changed.* FROM of_changed
  LEFT ANTI JOIN moved ON of_changed.system = moved.system AND normalise_id(of_changed.customer_native_id) = moved.native_id
),
by_day AS (
  SELECT * FROM of_moved WHERE service_month <= $last_month
  UNION ALL
  SELECT * FROM only_changed WHERE service_month <= $last_month
)
SELECT *, CAST(NULL AS DATE) AS known_on, CAST(NULL AS DATE) AS gone_on, CAST(NULL AS DATE) AS new_on FROM whole
UNION ALL
SELECT system, customer_native_id, native_sku, service_month, currency, measure, category, period_start,
       coalesce(period_end, period_start + INTERVAL '1 day') AS to_at,
       sum(CASE WHEN category IN ('usage', 'trial') THEN quantity END) AS quantity, sum(cost) AS cost, count(*) AS source_rows,
       CAST(NULL AS DATE) AS known_on, CAST(NULL AS DATE) AS gone_on, CAST(NULL AS DATE) AS new_on
FROM by_day
GROUP BY system, customer_native_id, native_sku, service_month, currency, measure, category, period_start,
         coalesce(period_end, period_start + INTERVAL '1 day')
UNION ALL
SELECT system, customer_native_id, native_sku, service_month, currency, measure, category, from_at, to_at, quantity, cost, source_rows,
       known_on, gone_on, new_on
FROM facts.usage_version
