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
-- Cells by the ids that vendors have for them: few, and all that is looked for in the usage, which is by far the longest table here.
named AS (
  SELECT customer.system, customer.native_id AS customer_id, service.native_sku, cell.month, cell.is_settled,
         -- Vendors send a month's usage after it has ended; what an invoice of that month's first days could not carry was not late.
         greatest(first_invoice.day, CAST(cell.month + INTERVAL '1 month' + INTERVAL '9 days' AS DATE)) AS day
  FROM first_invoice
  JOIN cell
    ON first_invoice.customer_key = cell.customer_key AND first_invoice.service_key = cell.service_key AND first_invoice.month = cell.month
  JOIN facts.customer_alias AS customer
    ON cell.customer_key = customer.customer_key AND (customer.valid_from IS NULL OR customer.valid_from <= cell.month)
    AND (customer.valid_to IS NULL OR customer.valid_to > cell.month)
  JOIN facts.service_alias AS service
    ON cell.service_key = service.service_key AND customer.system = service.system
    AND (service.valid_from IS NULL OR service.valid_from <= cell.month) AND (service.valid_to IS NULL OR service.valid_to > cell.month)
),
-- Rows of one customer, SKU and day of knowledge stand or fall together.
summed AS (
  SELECT system, currency, service_month, known_on, normalise_id(customer_native_id) AS customer_id, normalise_id(native_sku) AS sku, cost
  FROM (
    SELECT system, currency, service_month, CAST(recorded_at AS DATE) AS known_on, customer_native_id, native_sku, sum(cost) AS cost
    FROM known.vendor_usage
    WHERE service_month BETWEEN $quarter_start AND $last_month AND cost > 0
    GROUP BY system, currency, service_month, CAST(recorded_at AS DATE), customer_native_id, native_sku
  )
),
-- A crosswalk may list the SKU itself or its product, before the colon.
usage AS (
  SELECT system, currency, service_month, known_on, customer_id, cost,
         unnest(CASE WHEN split_part(sku, ':', 1) = sku THEN make_array(sku) ELSE make_array(sku, split_part(sku, ':', 1)) END) AS native_sku
  FROM summed
),
late AS (
  SELECT usage.system, coalesce(usage.currency, own.currency, 'XXX') AS currency, usage.cost, named.is_settled
  FROM named
  JOIN usage
    ON named.system = usage.system AND named.customer_id = usage.customer_id AND named.native_sku = usage.native_sku
    AND named.month = usage.service_month AND usage.known_on > named.day
  LEFT JOIN facts.customer_currency AS own ON usage.system = own.system AND own.native_id IS NULL
)
SELECT system, currency, sum(CASE WHEN is_settled THEN cost ELSE 0 END) AS part, sum(cost) AS whole
FROM late
GROUP BY GROUPING SETS ((system, currency), (currency))
