-- fact: service_alias
-- grain: one native SKU of one system, in one validity; a bundle has a row for each of its services
-- meaning: which service a SKU means, and how many units one of it is; a PSA's own product is a service in its own right
--   Rows of one SKU with the same validity and different services are a bundle: one unit of it is `unit_factor` units of each service, its
--   money is shared by `cost_share` (equally where no row states one) in the order of the services' keys, from `share_from` to `share_to`
-- reads: known.service_map, core_history.contract_line
WITH mapped AS (
  SELECT system, normalise_id(native_sku) AS native_sku, service_key, service_name, unit,
         coalesce(unit_factor, CAST(1 AS DECIMAL(38, 18))) AS unit_factor, cost_share,
         CAST(valid_from AS DATE) AS valid_from, CAST(valid_to AS DATE) AS valid_to
  FROM known.service_map
),
product AS (
  SELECT system, normalise_id(native_sku) AS native_sku, min(native_name) AS native_name
  FROM core_history.contract_line WHERE native_sku IS NOT NULL
  GROUP BY 1, 2
),
alias AS (
  SELECT system, native_sku, service_key, service_name, unit, unit_factor, cost_share, valid_from, valid_to FROM mapped
  UNION ALL
  SELECT product.system, product.native_sku, product.native_sku AS service_key, product.native_name, NULL, CAST(1 AS DECIMAL(38, 18)),
         CAST(NULL AS DECIMAL(38, 18)), CAST(NULL AS DATE), CAST(NULL AS DATE)
  FROM product LEFT ANTI JOIN mapped ON product.system = mapped.system AND product.native_sku = mapped.native_sku
),
chosen AS (
  SELECT system, native_sku, service_key, min(service_name) AS service_name, min(unit) AS unit, min(unit_factor) AS unit_factor,
         min(cost_share) AS cost_share, valid_from, valid_to
  FROM alias
  GROUP BY system, native_sku, service_key, valid_from, valid_to
),
-- Overlapping validities would count money twice: rows hold until the next ones of the same SKU begin.
validity AS (
  SELECT system, native_sku, valid_from, valid_to,
         least(valid_to, lead(valid_from) OVER (
           PARTITION BY system, native_sku ORDER BY coalesce(valid_from, DATE '0001-01-01'), coalesce(valid_to, DATE '9999-12-31'))) AS held_to
  FROM (SELECT DISTINCT system, native_sku, valid_from, valid_to FROM chosen)
),
weighted AS (
  SELECT *, CASE WHEN sum(cost_share) OVER (PARTITION BY system, native_sku, valid_from, valid_to) > 0
                 THEN coalesce(cost_share, CAST(0 AS DECIMAL(38, 18))) ELSE CAST(1 AS DECIMAL(38, 18)) END AS weight
  FROM chosen
),
shared AS (
  SELECT *,
         sum(weight) OVER (PARTITION BY system, native_sku, valid_from, valid_to ORDER BY service_key
                           ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS upto,
         sum(weight) OVER (PARTITION BY system, native_sku, valid_from, valid_to) AS total
  FROM weighted
)
SELECT shared.system, shared.native_sku, shared.service_key, shared.service_name, shared.unit, shared.unit_factor,
       exact_quotient(CAST(upto - weight AS DECIMAL(38, 18)), CAST(total AS DECIMAL(38, 18))) AS share_from,
       exact_quotient(CAST(upto AS DECIMAL(38, 18)), CAST(total AS DECIMAL(38, 18))) AS share_to,
       shared.valid_from, validity.held_to AS valid_to
FROM shared
JOIN validity
  ON shared.system = validity.system AND shared.native_sku = validity.native_sku
  AND (shared.valid_from IS NOT DISTINCT FROM validity.valid_from) AND (shared.valid_to IS NOT DISTINCT FROM validity.valid_to)
