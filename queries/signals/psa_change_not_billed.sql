-- signal: psa_change_not_billed
-- title: The PSA changed, the invoice did not
-- question: Which PSA quantities took effect while invoices still carry the old ones?
-- family: seam
-- basis: revenue
-- precedence: 20
-- grain: customer x service x month
-- reads: facts.gap_part, facts.fact_monthly
-- fires_when: an invoice covers the month, but for fewer units than the PSA's contract lines commit to (day by day), and less money
-- stays_silent_when: proration, free units, a pro-rated correction line, or a credit explain the difference; below 1 % of the units or
--   one unit of money
-- known_false_alarms: a PSA quantity raised by mistake
-- caused_by: contract_quantity_up, contract_began, contract_price_up, escalator, renewal, source_migration, first_record
-- action: correct the recurring invoice and bill the months since the change
-- explanation: The PSA commits {customer} to {billable_contracted_quantity} of {service}, the invoice of {last_month} carries
--   {billed_quantity}: {leakage} {currency} in the quarter
-- owner: billing
SELECT fact.customer_key, fact.service_key, fact.currency, fact.month, part.amount, fact.billable_contracted_quantity, fact.billed_quantity,
       fact.contract_price
FROM facts.gap_part AS part
JOIN facts.fact_monthly AS fact
  ON part.customer_key = fact.customer_key AND part.service_key = fact.service_key AND part.month = fact.month AND part.currency = fact.currency
WHERE part.cause = 'psa_change_not_billed' AND part.amount >= 1
  AND fact.is_contracted AND fact.price_model IN ('per_unit', 'tiered', 'flat_fee_overage')
  AND fact.billable_contracted_quantity - fact.billed_quantity > 0.01 * fact.billable_contracted_quantity
  AND fact.expected_revenue - coalesce(fact.revenue, 0) - coalesce(fact.one_off_revenue, 0) >= 1
