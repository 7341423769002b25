-- scorecard: late_usage_billed
-- title: Late or corrected vendor usage that reached an invoice
-- unit: share
-- better: higher
-- grain: vendor system (none for the whole book) x currency
-- meaning: cost of the quarter's usage that became known, or was said anew, after the first invoice for its customer, service and month, as far
--   as nothing of that month is left unbilled now. Months without a known price do not count
-- reads: known.vendor_usage, facts.customer_alias, facts.service_alias, facts.billed_line, facts.invoice_line, facts.gap_bridge, facts.customer_currency
WITH first_invoice AS (
  SELECT billed.customer_key, billed.service_key, billed.month, min(invoice.invoice_date) AS day
  FROM facts.billed_line AS billed
  JOIN facts.invoice_line AS invoice
    ON billed.batch_id = invoice.batch_id AND billed.source_row = invoice.source_row AND billed.system = invoice.system
    AND billed.invoice_id = invoice.invoice_id AND coalesce(billed.line_id, '') = coalesce(invoice.line_id, '')
  WHERE billed.kind IN ('recurring', 'usage') AND billed.month BETWEEN $quarter_start AND $last_month
  GROUP BY billed.customer_key, billed.service_key, billed.month
),
cell AS (
  SELECT customer_key, service_key, month,
         bool_and(cause IS NULL OR amount <= 0 OR cause IN ('rounding', 'credit', 'one_off')) AS is_settled
  FROM facts.gap_bridge GROUP BY customer_key, service_key, month
),
late AS (
  SELECT usage.system, coalesce(usage.currency, own.currency, 'XXX') AS currency, usage.cost, cell.is_settled
  FROM known.vendor_usage AS usage
  LEFT JOIN facts.customer_currency AS own ON usage.system = own.system AND own.native_id IS NULL
  JOIN facts.customer_alias AS customer
    ON usage.system = customer.system AND normalise_id(usage.customer_native_id) = customer.native_id
    AND (customer.valid_from IS NULL OR customer.valid_from <= usage.service_month)
    AND (customer.valid_to IS NULL OR customer.valid_to > usage.service_month)
  JOIN facts.service_alias AS service
    ON usage.system = service.system AND (service.valid_from IS NULL OR service.valid_from <= usage.service_month)
    AND (service.valid_to IS NULL OR service.valid_to > usage.service_month)
    AND (normalise_id(usage.native_sku) = service.native_sku OR split_part(normalise_id(usage.native_sku), ':', 1) = service.native_sku)
  JOIN first_invoice
    ON customer.customer_key = first_invoice.customer_key AND service.service_key = first_invoice.service_key
    AND usage.service_month = first_invoice.month
  JOIN cell
    ON customer.customer_key = cell.customer_key AND service.service_key = cell.service_key AND usage.service_month = cell.month
  WHERE usage.service_month BETWEEN $quarter_start AND $last_month AND usage.cost > 0
    -- Vendors send a month's usage after it has ended; what an invoice of that month's first days could not carry was not late.
    AND CAST(usage.recorded_at AS DATE) > greatest(first_invoice.day, CAST(usage.service_month + INTERVAL '1 month' + INTERVAL '9 days' AS DATE))
)
SELECT system, currency, sum(CASE WHEN is_settled THEN cost ELSE 0 END) AS part, sum(cost) AS whole
FROM late
GROUP BY GROUPING SETS ((system, currency), (currency))
