-- identity: bundle_lines
-- grain: customer x month x line, of the last twelve months of usage
-- meaning: what vendors deliver under SKUs that nothing resolves (`vendor`), beside what the PSA commits to and mapped SKUs do not deliver yet
--   (`psa`): levels weighted by their days, in units
-- reads: known.vendor_usage, facts.customer_alias, facts.service_alias, facts.contract_segment
WITH horizon AS (
  SELECT CAST(max(service_month) - INTERVAL '12 months' AS DATE) AS before, max(service_month) AS last_month FROM known.vendor_usage
),
delivered AS (
  SELECT usage.system, usage.customer_native_id, usage.native_sku, usage.service_month AS month,
         sum(CASE WHEN usage.measure = 'level' THEN day_weighted(usage.quantity, usage.period_start, usage.period_end, usage.service_month)
                  ELSE usage.quantity END) AS units
  FROM known.vendor_usage AS usage
  JOIN horizon ON usage.service_month > horizon.before
  WHERE usage.category = 'usage'
  GROUP BY usage.system, usage.customer_native_id, usage.native_sku, usage.service_month
),
keyed AS (
  SELECT customer.customer_key, delivered.system, normalise_id(delivered.native_sku) AS sku, delivered.month, delivered.units,
         coalesce(exact.service_key, head.service_key) AS service_key, coalesce(exact.unit_factor, head.unit_factor) AS unit_factor
  FROM delivered
  JOIN facts.customer_alias AS customer
    ON delivered.system = customer.system AND normalise_id(delivered.customer_native_id) = customer.native_id
    AND (customer.valid_from IS NULL OR customer.valid_from <= delivered.month)
    AND (customer.valid_to IS NULL OR customer.valid_to > delivered.month)
  LEFT JOIN facts.service_alias AS exact
    ON delivered.system = exact.system AND normalise_id(delivered.native_sku) = exact.native_sku
    AND (exact.valid_from IS NULL OR exact.valid_from <= delivered.month) AND (exact.valid_to IS NULL OR exact.valid_to > delivered.month)
  LEFT JOIN facts.service_alias AS head
    ON exact.service_key IS NULL AND delivered.system = head.system
    AND split_part(normalise_id(delivered.native_sku), ':', 1) = head.native_sku
    AND (head.valid_from IS NULL OR head.valid_from <= delivered.month) AND (head.valid_to IS NULL OR head.valid_to > delivered.month)
),
open AS (
  SELECT customer_key, month, system || '|' || sku AS id, sum(units) AS units
  FROM keyed WHERE service_key IS NULL AND units IS NOT NULL
  GROUP BY customer_key, month, system, sku
),
covered AS (
  SELECT customer_key, month, service_key, sum(exact_product(units, unit_factor)) AS units
  FROM keyed WHERE service_key IS NOT NULL
  GROUP BY customer_key, month, service_key
),
segment AS (
  SELECT customer.customer_key, service.service_key, exact_product(segment.quantity, service.unit_factor) AS units,
         greatest(segment.from_day, customer.valid_from, service.valid_from) AS from_day,
         least(segment.to_day, customer.valid_to, service.valid_to, CAST(horizon.last_month + INTERVAL '1 month' AS DATE)) AS to_day,
         horizon.before
  FROM facts.contract_segment AS segment
  CROSS JOIN horizon
  JOIN facts.customer_alias AS customer
    ON segment.system = customer.system AND normalise_id(segment.customer_native_id) = customer.native_id
  JOIN facts.service_alias AS service
    ON segment.system = service.system AND normalise_id(segment.native_sku) = service.native_sku
),
spread AS (
  SELECT *, unnest(generate_series(CAST(date_trunc('month', from_day) AS DATE), CAST(date_trunc('month', to_day - INTERVAL '1 day') AS DATE),
                                   INTERVAL '1 month')) AS month
  FROM segment
  WHERE from_day < to_day
),
committed AS (
  SELECT customer_key, service_key, CAST(month AS DATE) AS month,
         sum(day_weighted(units, CAST(from_day AS TIMESTAMP), CAST(to_day AS TIMESTAMP), CAST(month AS DATE))) AS units
  FROM spread WHERE month > before
  GROUP BY customer_key, service_key, CAST(month AS DATE)
),
asked AS (
  SELECT committed.customer_key, committed.service_key, committed.month, committed.units - coalesce(covered.units, CAST(0 AS DECIMAL(38, 18))) AS units
  FROM committed
  LEFT JOIN covered
    ON committed.customer_key = covered.customer_key AND committed.service_key = covered.service_key AND committed.month = covered.month
)
SELECT 'vendor' AS side, customer_key, CAST(month AS VARCHAR) AS month, id, units FROM open
UNION ALL
SELECT 'psa', asked.customer_key, CAST(asked.month AS VARCHAR), asked.service_key, asked.units
FROM asked LEFT SEMI JOIN open ON asked.customer_key = open.customer_key AND asked.month = open.month
WHERE asked.units > 0
ORDER BY 1, 2, 3, 4
