-- scorecard: lines_on_terms
-- title: Contract lines billed exactly on their terms
-- unit: share
-- better: higher
-- grain: PSA (none for the whole book)
-- meaning: contract lines in force in the quarter whose customer and service has no gap, to the minor unit, in any month of it whose billing has
--   run. Lines without a known price, or without a month that is closed, do not count
-- reads: facts.contract_segment, facts.customer_alias, facts.service_alias, facts.gap_bridge
WITH pair AS (
  SELECT customer_key, service_key, bool_and(cause IS NULL OR cause = 'rounding') AS is_exact
  FROM facts.gap_bridge GROUP BY customer_key, service_key
),
line AS (
  SELECT segment.system, segment.contract_id, segment.line_id, bool_and(pair.is_exact) AS is_exact
  FROM facts.contract_segment AS segment
  JOIN facts.customer_alias AS customer
    ON segment.system = customer.system AND normalise_id(segment.customer_native_id) = customer.native_id
  JOIN facts.service_alias AS service
    ON segment.system = service.system AND normalise_id(segment.native_sku) = service.native_sku
  JOIN pair ON customer.customer_key = pair.customer_key AND service.service_key = pair.service_key
  WHERE segment.is_billable AND segment.from_day < $last_month + INTERVAL '1 month'
    AND (segment.to_day IS NULL OR (segment.to_day > segment.from_day AND segment.to_day > $quarter_start))
  GROUP BY segment.system, segment.contract_id, segment.line_id
)
SELECT system, CAST(NULL AS VARCHAR) AS currency, count(*) FILTER (WHERE is_exact) AS part, count(*) AS whole
FROM line
GROUP BY GROUPING SETS ((system), ())
