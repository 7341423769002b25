-- view: core.invoice_line
-- meaning: the current truth of what was billed, with the customer and service it belongs to
SELECT line.system, line.invoice_id, line.line_id, customer.customer_key, line.customer_native_id, line.customer_native_name,
       service.service_key, line.native_sku, line.native_name, line.quantity, line.unit_price, share_of(line.amount, service.share_from, service.share_to) AS amount, line.currency, line.kind,
       line.is_proration, line.origin_line_id, line.status, line.period_start, line.period_end, line.invoice_date, line.service_month, line.recorded_at,
       line.batch_id, line.source_row
FROM known.invoice_line AS line
LEFT JOIN facts.customer_alias AS customer
  ON line.system = customer.system AND normalise_id(line.customer_native_id) = customer.native_id
  AND (customer.valid_from IS NULL OR customer.valid_from <= line.service_month)
  AND (customer.valid_to IS NULL OR customer.valid_to > line.service_month)
LEFT JOIN facts.service_alias AS service
  ON line.system = service.system AND normalise_id(line.native_sku) = service.native_sku
  AND (service.valid_from IS NULL OR service.valid_from <= line.service_month)
  AND (service.valid_to IS NULL OR service.valid_to > line.service_month)
