-- fact: contract_keyed
-- grain: one version of one contract line for each customer and service that it is of
-- meaning: segments by the keys of the crosswalk, in the service's own units, at a share of the price where the line is of a bundle; `held_from`
--   to `held_to` are its days as far as the crosswalk says the same
-- reads: facts.contract_segment, facts.customer_alias, facts.service_alias
SELECT segment.*, customer.customer_key, service.service_key, exact_product(segment.quantity, service.unit_factor) AS units,
       exact_product(segment.included_quantity, service.unit_factor) AS included_units,
       exact_quotient(share_of(segment.unit_price, service.share_from, service.share_to), service.unit_factor) AS price,
       greatest(segment.from_day, customer.valid_from, service.valid_from) AS held_from,
       least(segment.to_day, customer.valid_to, service.valid_to) AS held_to
FROM facts.contract_segment AS segment
JOIN facts.customer_alias AS customer
  ON segment.system = customer.system AND normalise_id(segment.customer_native_id) = customer.native_id
  AND (customer.valid_from IS NULL OR customer.valid_from < coalesce(segment.to_day, DATE '9999-01-01'))
  AND (customer.valid_to IS NULL OR customer.valid_to > segment.from_day)
JOIN facts.service_alias AS service
  ON segment.system = service.system AND normalise_id(segment.native_sku) = service.native_sku
  AND (service.valid_from IS NULL OR service.valid_from < coalesce(segment.to_day, DATE '9999-01-01'))
  AND (service.valid_to IS NULL OR service.valid_to > segment.from_day)
