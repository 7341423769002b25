-- view: core.invoice_line
-- meaning: the current truth of what was billed, with the customer and service it belongs to; date and validity are its header's where one is there
SELECT line.system, line.invoice_id, line.line_id, customer.customer_key, line.customer_native_id, line.customer_native_name,
       service.service_key, line.native_sku, line.native_name, line.quantity, line.unit_price,
       share_of(line.amount, service.share_from, service.share_to) AS amount,
       coalesce(line.currency, header.currency, money.currency, own.currency) AS currency, line.kind, line.is_proration, line.origin_line_id,
       CASE WHEN header.status IN ('void', 'voided', 'draft', 'deleted', 'uncollectible') THEN header.status ELSE line.status END AS status,
       line.period_start, line.period_end, coalesce(header.invoice_date, line.invoice_date) AS invoice_date, line.service_month,
       header.invoice_number, line.group_id, line.contract_line_id, line.recorded_at,
       line.batch_id, line.source_row
FROM known.invoice_line AS line
LEFT JOIN known.invoice AS header ON line.system = header.system AND line.invoice_id = header.invoice_id
LEFT JOIN facts.customer_currency AS money
  ON line.system = money.system AND normalise_id(line.customer_native_id) = money.native_id
LEFT JOIN facts.customer_currency AS own ON line.system = own.system AND own.native_id IS NULL
LEFT JOIN facts.customer_alias AS customer
  ON line.system = customer.system AND normalise_id(line.customer_native_id) = customer.native_id
  AND (customer.valid_from IS NULL OR customer.valid_from <= line.service_month)
  AND (customer.valid_to IS NULL OR customer.valid_to > line.service_month)
LEFT JOIN facts.service_alias AS service
  ON line.system = service.system AND normalise_id(line.native_sku) = service.native_sku
  AND (service.valid_from IS NULL OR service.valid_from <= line.service_month)
  AND (service.valid_to IS NULL OR service.valid_to > line.service_month)
