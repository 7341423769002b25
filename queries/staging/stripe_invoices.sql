-- Invoice lines. A line without a price, or an invoice item that is no proration, was added by hand.
SELECT
  id AS invoice_id,
  "line.id" AS line_id,
  customer AS customer_native_id,
  customer_name AS customer_native_name,
  coalesce("line.pricing.price_details.price", "line.price.id", "line.pricing.price_details.product", "line.price.product") AS native_sku,
  coalesce("line.pricing.price_details.product", "line.price.product") AS native_product,
  -- Stripe's own text: "6 × Name (at $22.00 / month)", "Remaining time on 6 × Name after 16 Jul 2026".
  regexp_replace(
    regexp_replace("line.description", '^((Remaining|Unused) time on )?([0-9][0-9.,]* [×x] )?', ''),
    '( [(]at .*[)]| after [0-9]{1,2} [A-Z][a-z]{2} [0-9]{4})$', '') AS native_name,
  CASE
    WHEN coalesce("line.proration", "line.parent.invoice_item_details.proration", "line.parent.subscription_item_details.proration", false)
      THEN 'recurring'
    WHEN "line.parent.type" = 'invoice_item_details' THEN 'one_off'
    WHEN coalesce("line.pricing.price_details.price", "line.price.id", "line.subscription") IS NULL THEN 'one_off'
    ELSE 'recurring'
  END AS kind,
  coalesce("line.proration", "line.parent.invoice_item_details.proration", "line.parent.subscription_item_details.proration", false)
    AS is_proration,
  coalesce(status, 'open') AS status,
  coalesce("line.quantity_decimal", "line.quantity") AS quantity,
  "line.pricing.unit_amount_decimal" AS unit_price,
  "line.amount" AS amount,
  currency,
  coalesce("line.period.start", effective_at, created) AS period_start,
  "line.period.end" AS period_end,
  CAST(coalesce(effective_at, created) AS DATE) AS invoice_date,
  coalesce(created, effective_at, arrived_at) AS recorded_at,
  source_row
FROM raw
