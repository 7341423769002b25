-- fact: contract_month
-- grain: customer x service x month
-- meaning: the contract lines in force, with their days; a line of a bundle is a line of each of its services, at a share of its price
-- reads: facts.contract_segment, facts.customer_alias, facts.service_alias
WITH keyed AS (
  SELECT segment.* EXCEPT (from_day, to_day), customer.customer_key, service.service_key, service.unit_factor, service.share_from, service.share_to,
         greatest(segment.from_day, customer.valid_from, service.valid_from) AS from_day,
         least(segment.to_day, customer.valid_to, service.valid_to) AS to_day
  FROM facts.contract_segment AS segment
  JOIN facts.customer_alias AS customer
    ON segment.system = customer.system AND normalise_id(segment.customer_native_id) = customer.native_id
    AND (customer.valid_from IS NULL OR customer.valid_from < coalesce(segment.to_day, DATE '9999-01-01'))
    AND (customer.valid_to IS NULL OR customer.valid_to > segment.from_day)
  JOIN facts.service_alias AS service
    ON segment.system = service.system AND normalise_id(segment.native_sku) = service.native_sku
    AND (service.valid_from IS NULL OR service.valid_from < coalesce(segment.to_day, DATE '9999-01-01'))
    AND (service.valid_to IS NULL OR service.valid_to > segment.from_day)
  WHERE segment.to_day IS NULL OR segment.to_day > segment.from_day
),
spread AS (
  SELECT *, unnest(generate_series(
    CAST(date_trunc('month', from_day) AS DATE),
    least(CAST(date_trunc('month', to_day - INTERVAL '1 day') AS DATE), $last_month),
    INTERVAL '1 month')) AS month
  FROM keyed
  WHERE from_day < $last_month + INTERVAL '1 month' AND (to_day IS NULL OR to_day > from_day)
)
SELECT customer_key, service_key, CAST(month AS DATE) AS month, min(currency) AS currency,
       array_agg(named_struct(
         'from_day', from_day, 'to_day', to_day, 'quantity', exact_product(quantity, unit_factor),
         'included_quantity', exact_product(included_quantity, unit_factor),
         'unit_price', exact_quotient(share_of(unit_price, share_from, share_to), unit_factor), 'is_billable', is_billable)) AS lines
FROM spread
GROUP BY customer_key, service_key, CAST(month AS DATE)
