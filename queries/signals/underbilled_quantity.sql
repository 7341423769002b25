-- signal: underbilled_quantity
-- title: Billed for less than was delivered
-- question: Where does the vendor deliver more than PSA and invoice know?
-- family: seam
-- basis: revenue
-- precedence: 30
-- adds_to: psa_change_not_billed
-- grain: customer x service x month
-- reads: facts.fact_monthly, facts.closed_month
-- fires_when: an invoice covers the month, but for fewer units than were delivered beyond what the PSA commits to, and less money
-- stays_silent_when: free units, proration, trials, internal use, a bundle's unit factor explain the difference; below 1 % of the units
--   or one unit of money; what the PSA knows and the invoice does not is psa_change_not_billed
-- known_false_alarms: a vendor that charges for released seats until the end of its term
-- action: raise the PSA quantity to what is delivered and bill the difference
-- explanation: {customer} was delivered {billable_quantity} of {service} in {last_month}, billed were {billed_quantity}:
--   {leakage} {currency} in the quarter at {contract_price} {currency} a unit
-- owner: billing
WITH compared AS (
  SELECT fact.*, fact.expected_billed_revenue AS billed_at_contract,
         coalesce(fact.revenue, 0) + coalesce(fact.one_off_revenue, 0) AS billed
  FROM facts.fact_monthly AS fact
  JOIN facts.closed_month AS closed ON fact.customer_key = closed.customer_key AND fact.month <= closed.month
  WHERE fact.is_billed AND fact.is_delivered AND fact.price_model IN ('per_unit', 'tiered', 'flat_fee_overage')
)
SELECT customer_key, service_key, currency, month,
       expected_revenue - greatest(expected_contracted_revenue, billed_at_contract) AS amount,
       billable_quantity, delivered_quantity, billed_quantity, contract_price
FROM compared
WHERE billable_quantity - greatest(billed_quantity, billable_contracted_quantity) > 0.01 * billable_quantity
  AND expected_revenue - greatest(expected_contracted_revenue, billed_at_contract) >= 1
  AND expected_revenue - billed >= 1
