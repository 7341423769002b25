-- fact: service_alias
-- grain: one native SKU of one system, in one validity
-- meaning: which service a SKU means, and how many units one of it is; a PSA's own product is a service in its own right
-- reads: known.service_map, core_history.contract_line
WITH mapped AS (
  SELECT system, normalise_id(native_sku) AS native_sku, service_key, service_name, unit,
         coalesce(unit_factor, CAST(1 AS DECIMAL(38, 18))) AS unit_factor,
         CAST(valid_from AS DATE) AS valid_from, CAST(valid_to AS DATE) AS valid_to
  FROM known.service_map
),
product AS (
  SELECT system, normalise_id(native_sku) AS native_sku, min(native_name) AS native_name
  FROM core_history.contract_line WHERE native_sku IS NOT NULL
  GROUP BY 1, 2
),
alias AS (
  SELECT system, native_sku, service_key, service_name, unit, unit_factor, valid_from, valid_to FROM mapped
  UNION ALL
  SELECT product.system, product.native_sku, product.native_sku AS service_key, product.native_name, CAST(NULL AS VARCHAR), CAST(1 AS DECIMAL(38, 18)),
         CAST(NULL AS DATE), CAST(NULL AS DATE)
  FROM product LEFT ANTI JOIN mapped ON product.system = mapped.system AND product.native_sku = mapped.native_sku
),
-- Overlapping validities would count money twice: a row holds until the next one of the same id begins.
chosen AS (
  SELECT system, native_sku, min(service_key) AS service_key, min(service_name) AS service_name, min(unit) AS unit,
         min(unit_factor) AS unit_factor, valid_from, valid_to
  FROM alias
  GROUP BY system, native_sku, valid_from, valid_to
)
SELECT system, native_sku, service_key, service_name, unit, unit_factor, valid_from,
       least(valid_to, lead(valid_from) OVER (
         PARTITION BY system, native_sku ORDER BY coalesce(valid_from, DATE '0001-01-01'), coalesce(valid_to, DATE '9999-12-31'))) AS valid_to
FROM chosen
