-- Terms that no PSA export carries.
SELECT
  customer_key, service_key, valid_from, valid_to, currency, lower(trim(model)) AS model, unit_price, included_quantity,
  minimum_quantity, overage_unit_price, flat_fee, tiers, escalator_percent, escalator_month, markup_percent,
  lower(trim(quantity_basis)) AS quantity_basis, lower(trim(proration)) AS proration, back_billing_months,
  source_row
FROM raw
