-- identity: unmapped_customers
-- grain: native customer id x spelling x name x currency
-- meaning: ids that no crosswalk, link or register resolves, by all systems that name them, with the money at stake
-- reads: known.vendor_usage, known.invoice_line, known.contract, facts.customer_alias
WITH seen AS (
  SELECT system, customer_native_id AS native_id, customer_native_name AS native_name, currency, sum(cost) AS cost,
         CAST(NULL AS DECIMAL(38, 18)) AS amount, count(*) AS source_rows
  FROM known.vendor_usage GROUP BY system, customer_native_id, customer_native_name, currency
  UNION ALL
  SELECT system, customer_native_id, customer_native_name, currency, CAST(NULL AS DECIMAL(38, 18)), sum(amount), count(*)
  FROM known.invoice_line
  WHERE coalesce(status, 'open') NOT IN ('void', 'voided', 'draft', 'deleted', 'uncollectible', 'not_invoiced', 'itemised', 'planned') AND kind NOT IN ('tax', 'memo', 'purchase')
  GROUP BY system, customer_native_id, customer_native_name, currency
  UNION ALL
  SELECT system, customer_native_id, customer_native_name, currency, CAST(NULL AS DECIMAL(38, 18)), CAST(NULL AS DECIMAL(38, 18)), count(*)
  FROM known.contract GROUP BY system, customer_native_id, customer_native_name, currency
),
keyed AS (SELECT *, normalise_id(native_id) AS id FROM seen WHERE trim(native_id) <> '')
SELECT keyed.system, keyed.id, keyed.native_id, keyed.native_name, keyed.currency, sum(keyed.cost) AS cost, sum(keyed.amount) AS amount,
       CAST(sum(keyed.source_rows) AS BIGINT) AS source_rows
FROM keyed LEFT ANTI JOIN facts.customer_alias AS alias ON keyed.system = alias.system AND keyed.id = alias.native_id
GROUP BY keyed.system, keyed.id, keyed.native_id, keyed.native_name, keyed.currency
ORDER BY 1, 2, 3, 4, 5
