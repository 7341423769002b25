-- fact: invoice_line
-- grain: invoice line
-- meaning: invoice lines with what only their header says: date, status, currency, and for recurring items without an end of their own the last day: of
--   the billing period of the contract line, or of the device's subscription, that they bill, else of the invoice's period if they began in it. A line whose header is not
--   there counts in the month of its own date. What is on an invoice at no charge has units and no money; what stands under the header of a
--   credit takes back, whichever sign its line has
-- reads: known.invoice_line, known.invoice, facts.customer_currency, facts.contract_period, known.contract
WITH term AS (
  SELECT system, parent_id, period_from, max(period_to) AS period_to FROM facts.contract_period GROUP BY system, parent_id, period_from
),
-- A device may have several subscriptions; what is posted for one is dated on the first day of its period.
device AS (
  SELECT period.system, 'device:' || contract.subject_id AS parent_id, period.native_sku, period.period_from, max(period.period_to) AS period_to
  FROM facts.contract_period AS period
  JOIN known.contract AS contract ON period.system = contract.system AND period.contract_id = contract.contract_id
  WHERE contract.subject_id IS NOT NULL
  GROUP BY period.system, contract.subject_id, period.native_sku, period.period_from
),
own AS (SELECT system, currency FROM facts.customer_currency WHERE native_id IS NULL),
joined AS (
  SELECT line.*, header.status AS header_status, header.invoice_date AS header_date, header.currency AS header_currency,
         header.period_start AS header_from,
         header.kind = 'credit' AND line.kind <> 'credit' AS is_credited, header.period_end AS header_to, coalesce(term.period_to, device.period_to) AS term_to,
         customer.currency AS customer_currency, own.currency AS own_currency
  FROM known.invoice_line AS line
  LEFT JOIN known.invoice AS header ON line.system = header.system AND line.invoice_id = header.invoice_id
  LEFT JOIN term
    ON line.system = term.system AND line.contract_line_id = term.parent_id
    AND line.period_start >= term.period_from AND line.period_start < term.period_to
  LEFT JOIN device
    ON line.system = device.system AND line.contract_line_id = device.parent_id AND line.native_sku = device.native_sku
    AND line.period_start = device.period_from
  LEFT JOIN facts.customer_currency AS customer
    ON line.system = customer.system AND normalise_id(line.customer_native_id) = customer.native_id
  LEFT JOIN own ON line.system = own.system
)
SELECT system, invoice_id, line_id, customer_native_id, customer_native_name, native_sku, native_name, native_product,
       coalesce(CASE WHEN is_credited THEN 'credit' END, kind) AS kind, is_proration,
       origin_line_id,
       CASE WHEN header_status IN ('void', 'voided', 'draft', 'deleted', 'uncollectible') THEN header_status ELSE status END AS status,
       quantity, unit_price,
       CASE WHEN status = 'no_charge' THEN CAST(0 AS DECIMAL(38, 18))
            WHEN is_credited THEN -abs(amount) ELSE amount END AS amount,
       coalesce(currency, header_currency, customer_currency, own_currency, 'XXX') AS currency,
       coalesce(period_start, header_from) AS period_start,
       CASE
         WHEN period_end IS NOT NULL OR kind NOT IN ('recurring', 'usage', 'sale') THEN period_end
         WHEN term_to IS NOT NULL THEN term_to
         WHEN period_start IS NULL OR (period_start >= header_from AND period_start < header_to) THEN header_to
       END AS period_end,
       coalesce(header_date, invoice_date) AS invoice_date, contract_line_id, batch_id, source_row
FROM joined
