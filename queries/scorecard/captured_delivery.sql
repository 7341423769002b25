-- scorecard: captured_delivery
-- title: Deliveries that a system counted
-- unit: share
-- better: higher
-- grain: system that says it (none for the whole book)
-- meaning: quantities of different services do not add up, so each delivered month of a customer and service counts once: for a vendor's usage, or
--   users and devices that a system lists or logs; against those that somebody typed (`lifecycle.csv`), and against billed units of
--   which nobody counts the delivery
-- reads: facts.usage_month, facts.fact_monthly, facts.subject_event, facts.customer_alias, facts.service_alias
WITH counted AS (
  SELECT DISTINCT system, customer_key, service_key, month FROM facts.usage_month
  WHERE category = 'usage' AND quantity > 0 AND customer_key IS NOT NULL AND service_key IS NOT NULL
    AND month BETWEEN $quarter_start AND $last_month
),
listed AS (
  SELECT event.system, customer.customer_key, service.service_key, bool_and(event.origin = 'file') AS is_typed
  FROM facts.subject_event AS event
  JOIN facts.customer_alias AS customer
    ON event.system = customer.system AND normalise_id(event.customer_native_id) = customer.native_id
  JOIN facts.service_alias AS service ON event.system = service.system AND normalise_id(event.native_sku) = service.native_sku
  GROUP BY event.system, customer.customer_key, service.service_key
),
cell AS (
  SELECT DISTINCT customer_key, service_key, month FROM facts.fact_monthly
  WHERE month BETWEEN $quarter_start AND $last_month
    AND (is_delivered OR (is_billed AND billed_quantity > 0 AND price_model IN ('per_unit', 'tiered', 'flat_fee_overage')))
),
said AS (
  SELECT cell.customer_key, cell.service_key, cell.month, coalesce(counted.system, listed.system) AS system,
         counted.system IS NOT NULL OR NOT coalesce(listed.is_typed, true) AS is_captured
  FROM cell
  LEFT JOIN counted
    ON cell.customer_key = counted.customer_key AND cell.service_key = counted.service_key AND cell.month = counted.month
  LEFT JOIN listed ON cell.customer_key = listed.customer_key AND cell.service_key = listed.service_key
),
of_book AS (SELECT customer_key, service_key, month, bool_or(is_captured) AS is_captured FROM said GROUP BY customer_key, service_key, month),
of_system AS (
  SELECT system, customer_key, service_key, month, bool_or(is_captured) AS is_captured
  FROM said WHERE system IS NOT NULL GROUP BY system, customer_key, service_key, month
)
SELECT CAST(NULL AS VARCHAR) AS system, CAST(NULL AS VARCHAR) AS currency, count(*) FILTER (WHERE is_captured) AS part, count(*) AS whole FROM of_book
UNION ALL
SELECT system, NULL, count(*) FILTER (WHERE is_captured), count(*) FROM of_system GROUP BY system
