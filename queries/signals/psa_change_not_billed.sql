-- signal: psa_change_not_billed
-- title: The PSA changed, the invoice did not
-- question: Which PSA quantities and prices took effect while invoices still carry the old ones?
-- family: seam
-- basis: revenue
-- precedence: 20
-- grain: customer x service x month
-- reads: facts.gap_part, facts.fact_monthly, facts.old_price_month
-- fires_when: an invoice covers the month, but for fewer units than the PSA's contract lines commit to (day by day), and less money; or at the
--   price of a unit from before a rise that the PSA records (facts/old_price_month.sql)
-- stays_silent_when: proration, free units, a pro-rated correction line, or a credit explain the difference; below 1 % of the units or
--   one unit of money
-- known_false_alarms: a PSA quantity or price raised by mistake
-- caused_by: contract_quantity_up, contract_began, contract_price_up, escalator, renewal, source_migration, first_record
-- action: correct the recurring invoice and bill the months since the change
-- explanation: The PSA commits {customer} to {agreed} {unit_of} {service}, the invoice of {last_month} carries {charged}: {leakage} {currency} in the quarter
-- owner: billing
WITH cell AS (
  SELECT fact.customer_key, fact.service_key, fact.currency, fact.month, part.amount, fact.billable_contracted_quantity, fact.billed_quantity,
         fact.contract_price, fact.billed_price,
         fact.billable_contracted_quantity - fact.billed_quantity > 0.01 * fact.billable_contracted_quantity AS lacks_units,
         old.customer_key IS NOT NULL AS has_old_price
  FROM facts.gap_part AS part
  JOIN facts.fact_monthly AS fact
    ON part.customer_key = fact.customer_key AND part.service_key = fact.service_key AND part.month = fact.month AND part.currency = fact.currency
  LEFT JOIN facts.old_price_month AS old
    ON part.customer_key = old.customer_key AND part.service_key = old.service_key AND part.month = old.month AND part.currency = old.currency
  WHERE part.cause = 'psa_change_not_billed' AND part.amount >= 1
    AND fact.is_contracted AND fact.price_model IN ('per_unit', 'tiered', 'flat_fee_overage')
    AND fact.expected_revenue - coalesce(fact.revenue, 0) - coalesce(fact.one_off_revenue, 0) >= 1
)
SELECT customer_key, service_key, currency, month, amount, billable_contracted_quantity, billed_quantity, contract_price, billed_price,
       CASE WHEN lacks_units THEN billable_contracted_quantity ELSE contract_price END AS agreed,
       CASE WHEN lacks_units THEN billed_quantity ELSE billed_price END AS charged,
       CASE WHEN lacks_units THEN 'of' ELSE currency || ' a unit of' END AS unit_of
FROM cell
WHERE lacks_units OR has_old_price
