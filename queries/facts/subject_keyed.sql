-- fact: subject_keyed
-- grain: one thing that happened to a user, a device or a seat, for each customer and service that it is of
-- meaning: events by the keys that the crosswalk had on their day
-- reads: facts.subject_event, facts.customer_alias, facts.service_alias
SELECT event.*, customer.customer_key, service.service_key
FROM facts.subject_event AS event
JOIN facts.customer_alias AS customer
  ON event.system = customer.system AND normalise_id(event.customer_native_id) = customer.native_id
  AND (customer.valid_from IS NULL OR customer.valid_from <= CAST(event.event_at AS DATE))
  AND (customer.valid_to IS NULL OR customer.valid_to > CAST(event.event_at AS DATE))
JOIN facts.service_alias AS service
  ON event.system = service.system AND normalise_id(event.native_sku) = service.native_sku
  AND (service.valid_from IS NULL OR service.valid_from <= CAST(event.event_at AS DATE))
  AND (service.valid_to IS NULL OR service.valid_to > CAST(event.event_at AS DATE))
