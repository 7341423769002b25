-- view: core.contract_line
-- meaning: the current truth of what the PSA says a customer is entitled to and owes for; `measure` says what a row states
SELECT line.system, line.contract_id, line.line_id, line.measure, line.parent_id, customer.customer_key, service.service_key, line.native_sku, line.native_name,
       line.quantity, line.included_quantity, share_of(line.unit_price, service.share_from, service.share_to) AS unit_price,
       share_of(line.unit_cost, service.share_from, service.share_to) AS unit_cost,
       share_of(line.amount, service.share_from, service.share_to) AS amount,
       coalesce(contract.currency, money.currency, own.currency) AS currency,
       coalesce(line.billing_cycle, contract.billing_cycle) AS billing_cycle, line.status, line.effective_from,
       least(line.effective_to, contract.effective_to) AS effective_to, line.recorded_at, line.batch_id, line.source_row
FROM known.contract_line AS line
LEFT JOIN known.contract AS contract ON line.system = contract.system AND line.contract_id = contract.contract_id
LEFT JOIN facts.customer_alias AS customer
  ON line.system = customer.system AND normalise_id(contract.customer_native_id) = customer.native_id
  AND customer.valid_to IS NULL
LEFT JOIN facts.customer_currency AS money
  ON line.system = money.system AND normalise_id(contract.customer_native_id) = money.native_id
LEFT JOIN facts.customer_currency AS own ON line.system = own.system AND own.native_id IS NULL
LEFT JOIN facts.service_alias AS service
  ON line.system = service.system AND normalise_id(line.native_sku) = service.native_sku
  AND service.valid_to IS NULL
