-- Invoice lines net of discounts and of the tax that they hold. A line without a price, or an invoice item that is no proration, was added by
-- hand. A discount that only the invoice states is shared among the lines that can have one, as differences of running shares in the
-- currency's minor unit: they sum exactly to it. Lines that the export left out have their part of it too.
WITH line AS (
  SELECT *,
         coalesce("line.proration", "line.parent.invoice_item_details.proration", "line.parent.subscription_item_details.proration", false)
           AS is_proration,
         coalesce("line.discount_amounts[].amount", CAST(0 AS DECIMAL(38, 18))) AS own_discount,
         coalesce("line.taxes[tax_behavior=inclusive].amount", CAST(0 AS DECIMAL(38, 18))) AS own_tax,
         coalesce("total_discount_amounts[].amount",
                  CASE WHEN "discount.coupon.id" IS NOT NULL
                       THEN subtotal + coalesce("total_tax_amounts[inclusive=false].amount", tax, CAST(0 AS DECIMAL(38, 18))) - total END,
                  CAST(0 AS DECIMAL(38, 18))) AS whole_discount
  FROM raw
),
weighed AS (
  SELECT *, CASE WHEN is_proration OR "line.discountable" = false OR "line.amount" < CAST(0 AS DECIMAL(38, 18))
                 THEN CAST(0 AS DECIMAL(38, 18)) ELSE "line.amount" END AS weight
  FROM line
),
summed AS (
  SELECT *, sum(own_discount) OVER (PARTITION BY id) AS stated,
         sum(weight) OVER (PARTITION BY id ORDER BY source_row) AS running,
         sum(weight) OVER (PARTITION BY id)
           + greatest(coalesce(subtotal - sum("line.amount") OVER (PARTITION BY id), CAST(0 AS DECIMAL(38, 18))), CAST(0 AS DECIMAL(38, 18))) AS all_weight
  FROM weighed
),
net AS (
  SELECT *, "line.amount" - own_discount - own_tax
              - CASE WHEN stated = CAST(0 AS DECIMAL(38, 18)) AND whole_discount > CAST(0 AS DECIMAL(38, 18)) AND all_weight > CAST(0 AS DECIMAL(38, 18))
                     THEN round_money(exact_quotient(exact_product(whole_discount, running), all_weight), currency)
                        - round_money(exact_quotient(exact_product(whole_discount, running - weight), all_weight), currency)
                     ELSE CAST(0 AS DECIMAL(38, 18)) END AS net
  FROM summed
)
SELECT
  id AS invoice_id,
  "line.id" AS line_id,
  customer AS customer_native_id,
  customer_name AS customer_native_name,
  coalesce("line.pricing.price_details.price", "line.price.id", "line.pricing.price_details.product", "line.price.product") AS native_sku,
  coalesce("line.pricing.price_details.product", "line.price.product") AS native_product,
  -- Stripe's own text: "6 × Name (at $22.00 / month)", "Remaining time on 6 × Name after 16 Jul 2026".
  coalesce(regexp_replace(
    regexp_replace("line.description", '^((Remaining|Unused) time on )?([0-9][0-9.,]* [×x] )?', ''),
    '( [(]at .*[)]| after [0-9]{1,2} [A-Z][a-z]{2} [0-9]{4})$', ''), "line.plan.nickname") AS native_name,
  CASE
    WHEN is_proration THEN 'recurring'
    WHEN "line.parent.type" = 'invoice_item_details' OR "line.type" = 'invoiceitem' THEN 'one_off'
    WHEN "line.type" = 'subscription' THEN 'recurring'
    WHEN coalesce("line.pricing.price_details.price", "line.price.id", "line.subscription") IS NULL THEN 'one_off'
    ELSE 'recurring'
  END AS kind,
  is_proration,
  coalesce(status, 'open') AS status,
  coalesce("line.quantity_decimal", "line.quantity") AS quantity,
  -- A price for packages is none for a unit.
  CASE WHEN own_tax = CAST(0 AS DECIMAL(38, 18)) AND "line.price.transform_quantity.divide_by" IS NULL THEN "line.pricing.unit_amount_decimal" END
    AS unit_price,
  net AS amount,
  currency,
  coalesce("line.period.start", effective_at, created) AS period_start,
  "line.period.end" AS period_end,
  CAST(coalesce(effective_at, created) AS DATE) AS invoice_date,
  coalesce(created, effective_at, arrived_at) AS recorded_at,
  source_row
FROM net
