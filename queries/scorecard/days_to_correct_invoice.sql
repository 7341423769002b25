-- scorecard: days_to_correct_invoice
-- title: Days from a PSA change to the first correct invoice
-- unit: days
-- better: lower
-- grain: PSA (none for the whole book)
-- meaning: `part` is the median over the changes of quantity or price, and the lines new since the PSA's first list, that took effect in the quarter (`whole` counts them). An
--   invoice is correct if it carries what the PSA commits to, by days (or what was delivered beyond), at the terms' price; the day is that of
--   the last line that makes it so. Changes that no invoice follows yet come last: if they are half of all, there is no median
-- reads: facts.contract_segment, facts.customer_alias, facts.service_alias, facts.fact_monthly, facts.billed_line, facts.invoice_line
WITH version AS (
  SELECT *, lag(quantity) OVER (PARTITION BY system, contract_id, line_id ORDER BY from_day) AS quantity_before,
         lag(unit_price) OVER (PARTITION BY system, contract_id, line_id ORDER BY from_day) AS price_before,
         lag(from_day) OVER (PARTITION BY system, contract_id, line_id ORDER BY from_day) AS before,
         min(from_day) OVER (PARTITION BY system) AS history_begins
  FROM facts.contract_segment
  WHERE is_billable AND (to_day IS NULL OR to_day > from_day)
),
change AS (
  SELECT version.system, version.contract_id, version.line_id, version.from_day, customer.customer_key, service.service_key
  FROM version
  JOIN facts.customer_alias AS customer
    ON version.system = customer.system AND normalise_id(version.customer_native_id) = customer.native_id
  JOIN facts.service_alias AS service
    ON version.system = service.system AND normalise_id(version.native_sku) = service.native_sku
  WHERE version.from_day >= $quarter_start AND version.from_day < $last_month + INTERVAL '1 month'
    -- What the first list shows is no change, and what holds for days within one month no invoice shows by itself.
    AND (version.before IS NOT NULL OR version.from_day > version.history_begins)
    AND (version.to_day IS NULL OR date_trunc('month', version.to_day) > date_trunc('month', version.from_day))
    AND ((version.quantity IS DISTINCT FROM version.quantity_before) OR (version.unit_price IS DISTINCT FROM version.price_before))
),
invoiced AS (
  SELECT billed.customer_key, billed.service_key, billed.month, max(invoice.invoice_date) AS day
  FROM facts.billed_line AS billed
  JOIN facts.invoice_line AS invoice
    ON billed.batch_id = invoice.batch_id AND billed.source_row = invoice.source_row AND billed.system = invoice.system
    AND billed.invoice_id = invoice.invoice_id AND coalesce(billed.line_id, '') = coalesce(invoice.line_id, '')
  WHERE billed.kind IN ('recurring', 'usage') AND billed.month BETWEEN $quarter_start AND $last_month
  GROUP BY billed.customer_key, billed.service_key, billed.month
),
correct AS (
  SELECT fact.customer_key, fact.service_key, fact.month, invoiced.day
  FROM facts.fact_monthly AS fact
  JOIN invoiced
    ON fact.customer_key = invoiced.customer_key AND fact.service_key = invoiced.service_key AND fact.month = invoiced.month
  WHERE fact.is_billed AND fact.billed_quantity >= 0.99 * fact.billable_contracted_quantity
    AND fact.billed_quantity <= 1.01 * fact.billable_quantity
    AND fact.revenue - fact.expected_billed_revenue > -1 AND fact.revenue - fact.expected_billed_revenue < 1
),
followed AS (
  SELECT change.system, change.contract_id, change.line_id, change.from_day,
         min(CASE WHEN correct.day IS NOT NULL THEN greatest(CAST(correct.day AS INT) - CAST(change.from_day AS INT), 0) END) AS days
  FROM change
  LEFT JOIN correct
    ON change.customer_key = correct.customer_key AND change.service_key = correct.service_key
    AND correct.month >= CAST(date_trunc('month', change.from_day) AS DATE)
  GROUP BY change.system, change.contract_id, change.line_id, change.from_day
)
SELECT system, CAST(NULL AS VARCHAR) AS currency,
       -- Those that nothing follows yet are longer than any other.
       CASE WHEN 2 * count(days) > count(*) THEN median(CAST(coalesce(days, 1000000) AS DECIMAL(38, 18))) END AS part, count(*) AS whole
FROM followed
GROUP BY GROUPING SETS ((system), ())
