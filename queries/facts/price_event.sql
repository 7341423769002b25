-- fact: price_event
-- grain: a price that moved: a vendor's, for a customer and service in a month; a catalogue's, for a service on the day of the export that first shows it
-- meaning: what a unit of the pair cost at the vendor against the month before, if the step is half a percent or more, stands out from the month before
--   and lasts, or if most customers of the service saw one; and what the PSA's or the vendor's own list says against the export before
-- reads: facts.fact_monthly, facts.service_alias, core_history.product
WITH unit AS (
  SELECT customer_key, service_key, month, cost_currency, exact_quotient(cost_original, coalesce(reported_quantity, delivered_quantity)) AS unit_cost,
         CAST(exact_quotient(cost_original, coalesce(reported_quantity, delivered_quantity)) AS DOUBLE) AS cost
  FROM facts.fact_monthly
  WHERE cost_original > 0 AND coalesce(reported_quantity, delivered_quantity) > 0 AND month >= $window_start - INTERVAL '3 months'
),
beside AS (
  SELECT *, lag(cost) OVER line AS before, lag(cost, 2) OVER line AS earlier, lead(cost) OVER line AS next,
         lag(month) OVER line AS month_before,
         lag(unit_cost) OVER line AS unit_cost_before
  FROM unit
  WINDOW line AS (PARTITION BY customer_key, service_key, cost_currency ORDER BY month)
),
-- Half a percent and more, three times what moved the month before, and the next month does not take it back; or what most customers saw.
moved AS (
  SELECT *, CASE WHEN cost > before THEN 'vendor_price_up' ELSE 'vendor_price_down' END AS event,
         abs(cost - before) > 3 * abs(before - coalesce(earlier, before))
           AND abs(cost - before) >= 2 * (CASE WHEN cost > before THEN cost - coalesce(next, cost) ELSE coalesce(next, cost) - cost END) AS is_step,
         abs(cost - before) >= 0.005 * before AS is_change,
         count(*) OVER (PARTITION BY service_key, month) AS customers
  FROM beside
  WHERE month_before = CAST(month - INTERVAL '1 month' AS DATE)
),
vendor AS (
  SELECT *, count(*) OVER (PARTITION BY service_key, month, event) AS alike
  FROM moved WHERE is_change
),
-- A list that names two prices for one thing (by term, by volume) tells neither.
listed AS (
  SELECT alias.service_key, product.system, product.native_sku, product.recorded_at, product.batch_id, min(product.source_row) AS source_row,
         CASE WHEN min(product.unit_price) = max(product.unit_price) THEN min(product.unit_price) END AS unit_price,
         CASE WHEN min(product.unit_cost) = max(product.unit_cost) THEN min(product.unit_cost) END AS unit_cost
  FROM core_history.product AS product
  JOIN facts.service_alias AS alias ON product.system = alias.system AND normalise_id(product.native_sku) = alias.native_sku
  GROUP BY alias.service_key, product.system, product.native_sku, product.recorded_at, product.batch_id
),
compared AS (
  SELECT *, lag(unit_price) OVER line AS price_before, lag(unit_cost) OVER line AS cost_before
  FROM listed
  WINDOW line AS (PARTITION BY service_key, system, native_sku ORDER BY recorded_at, batch_id)
),
priced AS (
  SELECT service_key, CAST(recorded_at AS DATE) AS day, system, batch_id, source_row, native_sku,
         unnest(make_array(
           named_struct('event', CASE WHEN unit_price > price_before THEN 'list_price_up' WHEN unit_price < price_before THEN 'list_price_down' END,
                        'before', price_before, 'after', unit_price),
           named_struct('event', CASE WHEN unit_cost > cost_before THEN 'vendor_price_up' WHEN unit_cost < cost_before THEN 'vendor_price_down' END,
                        'before', cost_before, 'after', unit_cost))) AS it
  FROM compared
)
SELECT customer_key, service_key, month, month AS happened_on, event, unit_cost_before AS value_before, unit_cost AS value_after,
       coalesce(cost_currency, '') || CASE WHEN customers >= 3 AND 2 * alike > customers
                                           THEN ', as at ' || alike || ' of ' || customers || ' customers' ELSE '' END AS detail,
       nullif(service_key, service_key) AS system, 'usage' AS source, nullif(service_key, service_key) AS batch_id,
       CAST(NULL AS BIGINT) AS source_row
FROM vendor WHERE is_step OR (customers >= 3 AND 2 * alike > customers)
UNION ALL
-- No text, of the type that texts have here.
SELECT nullif(service_key, service_key), service_key, CAST(date_trunc('month', day) AS DATE), day, it['event'], it['before'], it['after'], native_sku, system,
       'catalogue', batch_id, source_row
FROM priced WHERE it['event'] IS NOT NULL AND day < $last_month + INTERVAL '1 month'
