-- identity: unmapped_services
-- grain: native SKU x spelling x name x currency
-- meaning: SKUs that no crosswalk resolves, neither by themselves, by their product nor by a service of that name, with the money at stake
-- reads: known.vendor_usage, known.invoice_line, facts.service_alias
WITH sold AS (
  SELECT system, coalesce(native_product, native_sku) AS main_sku, native_sku AS other_sku, native_name, currency, amount
  FROM known.invoice_line
  WHERE coalesce(status, 'open') NOT IN ('void', 'voided', 'draft', 'deleted', 'uncollectible', 'not_invoiced', 'itemised', 'planned')
    AND kind NOT IN ('tax', 'memo', 'purchase', 'credit', 'one_off')
),
seen AS (
  SELECT system, native_sku AS main_sku, native_sku AS other_sku, native_name, currency, sum(cost) AS cost,
         CAST(NULL AS DECIMAL(38, 18)) AS amount, count(*) AS source_rows
  FROM known.vendor_usage GROUP BY system, native_sku, native_name, currency
  UNION ALL
  SELECT system, main_sku, other_sku, native_name, currency, CAST(NULL AS DECIMAL(38, 18)) AS cost, sum(amount) AS amount, count(*) AS source_rows
  FROM sold GROUP BY system, main_sku, other_sku, native_name, currency
),
keyed AS (
  SELECT *, normalise_id(main_sku) AS id, normalise_id(other_sku) AS other_id, split_part(normalise_id(main_sku), ':', 1) AS head
  FROM seen WHERE trim(main_sku) <> ''
),
own AS (SELECT DISTINCT normalise_id(service_key) AS match_key FROM facts.service_alias),
open AS (
  SELECT keyed.*
  FROM keyed
  LEFT ANTI JOIN facts.service_alias AS exact ON keyed.system = exact.system AND keyed.id = exact.native_sku
),
still_open AS (
  SELECT open.* FROM open LEFT ANTI JOIN facts.service_alias AS head ON open.system = head.system AND open.head = head.native_sku
),
other_open AS (
  SELECT still_open.* FROM still_open
  LEFT ANTI JOIN facts.service_alias AS other ON still_open.system = other.system AND still_open.other_id = other.native_sku
)
SELECT other_open.system, id, main_sku AS native_id, native_name, currency, sum(cost) AS cost, sum(amount) AS amount,
       CAST(sum(source_rows) AS BIGINT) AS source_rows
FROM other_open LEFT ANTI JOIN own ON other_open.id = own.match_key
GROUP BY other_open.system, id, main_sku, native_name, currency
ORDER BY 1, 2, 3, 4, 5
