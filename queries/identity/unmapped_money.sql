-- identity: unmapped_money
-- grain: currency
-- meaning: cost and charges of all time whose customer or service nothing resolves, with the number of such ids
-- reads: known.usage_sum, known.invoice_line, facts.customer_alias, facts.service_alias
WITH sold AS (
  SELECT system, customer_native_id, coalesce(native_product, native_sku) AS main_sku, native_sku AS other_sku, currency, amount
  FROM known.invoice_line
  WHERE coalesce(status, 'open') NOT IN ('void', 'voided', 'draft', 'deleted', 'uncollectible', 'not_invoiced', 'itemised', 'planned')
    AND kind NOT IN ('tax', 'memo', 'purchase', 'credit', 'one_off')
),
seen AS (
  SELECT system, customer_native_id, native_sku AS main_sku, native_sku AS other_sku, currency, sum(cost) AS cost,
         CAST(NULL AS DECIMAL(38, 18)) AS amount
  FROM known.usage_sum GROUP BY system, customer_native_id, native_sku, currency
  UNION ALL
  SELECT system, customer_native_id, main_sku, other_sku, currency, CAST(NULL AS DECIMAL(38, 18)) AS cost, sum(amount) AS amount
  FROM sold GROUP BY system, customer_native_id, main_sku, other_sku, currency
),
keyed AS (
  SELECT *, normalise_id(customer_native_id) AS customer_id, normalise_id(main_sku) AS sku, normalise_id(other_sku) AS other,
         split_part(normalise_id(main_sku), ':', 1) AS head
  FROM seen
),
customer AS (SELECT DISTINCT system, native_id FROM facts.customer_alias),
service AS (SELECT DISTINCT system, native_sku FROM facts.service_alias),
own AS (SELECT DISTINCT normalise_id(service_key) AS match_key FROM facts.service_alias),
flagged AS (
  SELECT keyed.*, customer.native_id IS NULL AS is_customer_unknown,
         coalesce(exact.native_sku, by_head.native_sku, by_other.native_sku, own.match_key) IS NULL AS is_service_unknown
  FROM keyed
  LEFT JOIN customer ON keyed.system = customer.system AND keyed.customer_id = customer.native_id
  LEFT JOIN service AS exact ON keyed.system = exact.system AND keyed.sku = exact.native_sku
  LEFT JOIN service AS by_head ON keyed.system = by_head.system AND keyed.head = by_head.native_sku
  LEFT JOIN service AS by_other ON keyed.system = by_other.system AND keyed.other = by_other.native_sku
  LEFT JOIN own ON keyed.sku = own.match_key
)
SELECT currency, sum(cost) AS cost, sum(amount) AS amount,
       count(DISTINCT CASE WHEN is_customer_unknown THEN system || ' ' || coalesce(customer_id, '') END) AS customer_ids,
       count(DISTINCT CASE WHEN is_service_unknown THEN system || ' ' || coalesce(sku, '') END) AS service_ids
FROM flagged
WHERE is_customer_unknown OR is_service_unknown
GROUP BY currency
ORDER BY currency
