-- fact: service_alias
-- grain: one native SKU of one system, in one validity; a bundle has a row for each of its services
-- meaning: which service a SKU means, and how many units one of it is; a PSA's own product is a service in its own right, by the name of
--   its catalogue. A product that is a bare number is one only together with its system: `autotask:45`.
--   Rows of one SKU with the same validity and different services are a bundle: one unit of it is `unit_factor` units of each service, its
--   money is shared by `cost_share` (equally where no row states one) in the order of the services' keys, from `share_from` to `share_to`
-- reads: known.service_map, known.product, core_history.contract_line
WITH mapped AS (
  SELECT system, normalise_id(native_sku) AS native_sku, service_key, service_name, unit,
         coalesce(unit_factor, CAST(1 AS DECIMAL(38, 18))) AS unit_factor, cost_share,
         CAST(valid_from AS DATE) AS valid_from, CAST(valid_to AS DATE) AS valid_to
  FROM known.service_map
),
catalogue AS (
  SELECT system, normalise_id(native_sku) AS native_sku, min(native_name) AS native_name
  FROM known.product WHERE native_sku IS NOT NULL
  GROUP BY 1, 2
),
sold AS (
  SELECT system, normalise_id(native_sku) AS native_sku, min(native_name) AS native_name
  FROM core_history.contract_line WHERE native_sku IS NOT NULL
  GROUP BY 1, 2
),
product AS (
  SELECT sold.system, sold.native_sku, coalesce(catalogue.native_name, sold.native_name) AS native_name,
         CASE WHEN regexp_like(sold.native_sku, '^([a-z]+:)?[0-9]+$') THEN sold.system || ':' || sold.native_sku ELSE sold.native_sku END AS service_key
  FROM sold
  LEFT JOIN catalogue ON sold.system = catalogue.system AND sold.native_sku = catalogue.native_sku
),
alias AS (
  SELECT system, native_sku, service_key, service_name, unit, unit_factor, cost_share, valid_from, valid_to FROM mapped
  UNION ALL
  SELECT product.system, product.native_sku, product.service_key, product.native_name, NULL, CAST(1 AS DECIMAL(38, 18)),
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
