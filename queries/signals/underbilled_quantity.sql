-- signal: underbilled_quantity
-- title: Billed for less than was delivered
-- question: Where does the vendor deliver more than PSA and invoice know?
-- family: seam
-- basis: revenue
-- precedence: 30
-- adds_to: psa_change_not_billed, late_usage_not_rebilled, correction_not_passed_on
-- grain: customer x service x month
-- reads: facts.gap_part, facts.fact_monthly
-- fires_when: an invoice covers the month, but for fewer units than were delivered beyond what the PSA commits to, and less money
-- stays_silent_when: free units, proration, trials, internal use, a bundle's unit factor explain the difference; below 1 % of the units
--   or one unit of money; what the PSA knows and the invoice does not is psa_change_not_billed, what became known after the billing
--   cut-off is late_usage_not_rebilled or correction_not_passed_on
-- known_false_alarms: a vendor that charges for released seats until the end of its term
-- caused_by: provisioned, contract_quantity_down, delivery_began, renewal, source_migration, first_record
-- action: raise the PSA quantity to what is delivered and bill the difference
-- explanation: {customer} was delivered {billable_quantity} of {service} in {last_month}, billed were {billed_quantity}:
--   {leakage} {currency} in the quarter at {contract_price} {currency} a unit
-- owner: billing
SELECT fact.customer_key, fact.service_key, fact.currency, fact.month, part.amount, fact.billable_quantity, fact.delivered_quantity,
       fact.billed_quantity, fact.contract_price
FROM facts.gap_part AS part
JOIN facts.fact_monthly AS fact
  ON part.customer_key = fact.customer_key AND part.service_key = fact.service_key AND part.month = fact.month AND part.currency = fact.currency
WHERE part.cause = 'underbilled_quantity' AND part.amount >= 1
  AND fact.is_delivered AND fact.price_model IN ('per_unit', 'tiered', 'flat_fee_overage')
  AND fact.billable_quantity - greatest(fact.billed_quantity, fact.billable_contracted_quantity) > 0.01 * fact.billable_quantity
  AND fact.expected_revenue - coalesce(fact.revenue, 0) - coalesce(fact.one_off_revenue, 0) >= 1
