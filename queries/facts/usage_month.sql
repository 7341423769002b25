-- fact: usage_month
-- grain: customer x service x month x currency x period of a level; keys are empty where the crosswalk does not know the ids
-- meaning: what was delivered and what it cost, in the service's own units, by service month
-- reads: facts.usage_native, facts.customer_alias, facts.service_alias, facts.service
WITH
-- Partner Center states Azure charges twice: by day, and as totals of the month, which are what was invoiced.
total AS (
  SELECT DISTINCT system, customer_native_id, native_sku, service_month
  FROM facts.usage_native
  WHERE system = 'microsoft_csp' AND measure = 'level' AND category = 'usage'
),
native AS (
  SELECT *, normalise_id(customer_native_id) AS customer_id, normalise_id(native_sku) AS sku
  FROM facts.usage_native AS usage
  LEFT ANTI JOIN total
    ON usage.measure = 'flow' AND usage.system = total.system AND usage.customer_native_id = total.customer_native_id
    AND usage.native_sku = total.native_sku AND usage.service_month = total.service_month
),
keyed AS (
  SELECT native.*, customer.customer_key, coalesce(exact.service_key, head.service_key, own.service_key) AS service_key,
         coalesce(exact.unit_factor, head.unit_factor, CAST(1 AS DECIMAL(38, 18))) AS unit_factor
  FROM native
  LEFT JOIN facts.customer_alias AS customer
    ON native.system = customer.system AND native.customer_id = customer.native_id
    AND (customer.valid_from IS NULL OR customer.valid_from <= native.service_month)
    AND (customer.valid_to IS NULL OR customer.valid_to > native.service_month)
  LEFT JOIN facts.service_alias AS exact
    ON native.system = exact.system AND native.sku = exact.native_sku
    AND (exact.valid_from IS NULL OR exact.valid_from <= native.service_month)
    AND (exact.valid_to IS NULL OR exact.valid_to > native.service_month)
  -- A crosswalk may stop at the product: `product` stands for every `product:sku`.
  LEFT JOIN facts.service_alias AS head
    ON native.system = head.system AND split_part(native.sku, ':', 1) = head.native_sku
    AND (head.valid_from IS NULL OR head.valid_from <= native.service_month)
    AND (head.valid_to IS NULL OR head.valid_to > native.service_month)
  LEFT JOIN facts.service AS own ON native.sku = own.match_key
),
spread AS (
  SELECT *, unnest(
    CASE WHEN from_at IS NULL THEN make_array(service_month)
         ELSE generate_series(service_month, CAST(date_trunc('month', to_at - INTERVAL '1 microsecond') AS DATE), INTERVAL '1 month')
    END) AS month
  FROM keyed
)
SELECT system, customer_native_id, native_sku, customer_key, service_key, CAST(month AS DATE) AS month, currency, measure, category,
       CAST(from_at AS DATE) AS from_day, CAST(to_at AS DATE) AS to_day,
       CASE WHEN measure = 'level' OR from_at IS NULL THEN exact_product(quantity, unit_factor)
            ELSE month_share(exact_product(quantity, unit_factor), from_at, to_at, CAST(month AS DATE)) END AS quantity,
       CASE WHEN from_at IS NULL THEN cost ELSE month_share(cost, from_at, to_at, CAST(month AS DATE)) END AS cost,
       source_rows
FROM spread
WHERE month <= $last_month
