-- signal: unmapped
-- title: Vendor cost that belongs to nobody
-- question: How much vendor cost is tied to no known customer or service?
-- family: seam
-- basis: cost
-- precedence: 97
-- grain: system x month x currency, and the customer or the service where one of them is known
-- reads: facts.usage_month
-- fires_when: the crosswalks give usage of a month no customer, or no service, and it cost one unit of money at least; one finding for each system and
--   currency, and for each customer or service of which only the other is unknown
-- stays_silent_when: the cost nets to nothing, the usage has no cost (coverage counts it)
-- known_false_alarms: the MSP's own use, as long as no mapping says so. What is lost of it is unknown until it is mapped: from nothing to all
-- action: map the ids (`shortfall map suggest`), then analyse again
-- explanation: {ids} ids of {system} cost {leakage} {currency} in the quarter and belong to no known {unknown}; nobody can tell whether they are
--   billed before they are mapped
-- owner: revenue operations
WITH unknown AS (
  SELECT CASE WHEN customer_key IS NULL AND service_key IS NULL THEN system END AS scope, currency, month, customer_key, service_key,
         array_to_string(array_agg(DISTINCT system ORDER BY system), ', ') AS system, sum(cost) AS cost, sum(source_rows) AS source_rows,
         count(DISTINCT system || ' ' || coalesce(customer_native_id, '') || ' ' || coalesce(native_sku, '')) AS ids
  FROM facts.usage_month
  WHERE (customer_key IS NULL OR service_key IS NULL) AND cost IS NOT NULL AND currency IS NOT NULL
  GROUP BY CASE WHEN customer_key IS NULL AND service_key IS NULL THEN system END, currency, month, customer_key, service_key
)
SELECT customer_key, service_key, currency, month, round_money(cost, currency) AS amount, CAST(0 AS DECIMAL(38, 18)) AS amount_low,
       scope, system, ids, source_rows,
       CASE WHEN customer_key IS NOT NULL THEN 'service' WHEN service_key IS NOT NULL THEN 'customer' ELSE 'customer or service' END AS unknown
FROM unknown
WHERE round_money(cost, currency) >= 1
