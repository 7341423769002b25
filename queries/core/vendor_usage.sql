-- view: core.vendor_usage
-- meaning: the current truth of vendor usage, with the customer and service it belongs to; where a row names no currency, the system's own
SELECT usage.system, usage.provider, customer.customer_key, usage.customer_native_id, usage.customer_native_name,
       service.service_key, usage.native_sku, usage.native_name, usage.subject_id, usage.line_key, usage.category, usage.measure, usage.quantity,
       usage.unit, usage.unit_cost, share_of(usage.cost, service.share_from, service.share_to) AS cost, coalesce(usage.currency, own.currency) AS currency, usage.period_start, usage.period_end, usage.service_month,
       usage.is_correction, usage.recorded_at, usage.batch_id, usage.source_row
FROM known.vendor_usage AS usage
LEFT JOIN facts.customer_currency AS own ON usage.system = own.system AND own.native_id IS NULL
LEFT JOIN facts.customer_alias AS customer
  ON usage.system = customer.system AND normalise_id(usage.customer_native_id) = customer.native_id
  AND (customer.valid_from IS NULL OR customer.valid_from <= usage.service_month)
  AND (customer.valid_to IS NULL OR customer.valid_to > usage.service_month)
LEFT JOIN facts.service_alias AS service
  ON usage.system = service.system AND normalise_id(usage.native_sku) = service.native_sku
  AND (service.valid_from IS NULL OR service.valid_from <= usage.service_month)
  AND (service.valid_to IS NULL OR service.valid_to > usage.service_month)
