-- view: core.lifecycle_event
-- meaning: users, devices and seats that came and went, and where that is known from: a dated field, a change log, a file kept by hand, or
--   the difference of two lists
SELECT event.system, customer.customer_key, service.service_key, event.customer_native_id, event.native_sku, event.subject_kind,
       event.subject_id, event.event, event.event_at, event.origin, event.recorded_at, event.batch_id, event.source_row
FROM facts.subject_event AS event
LEFT JOIN facts.customer_alias AS customer
  ON event.system = customer.system AND normalise_id(event.customer_native_id) = customer.native_id
  AND customer.valid_to IS NULL
LEFT JOIN facts.service_alias AS service
  ON event.system = service.system AND normalise_id(event.native_sku) = service.native_sku
  AND service.valid_to IS NULL
