-- signal: psa_change_not_billed
-- title: The PSA changed, the invoice did not
-- question: Which PSA quantities took effect while invoices still carry the old ones?
-- family: seam
-- basis: revenue
-- precedence: 20
-- grain: customer x service x month
-- reads: facts.fact_monthly, facts.closed_month
-- fires_when: an invoice covers the month, but for fewer units than the PSA's contract lines commit to (day by day), and less money
-- stays_silent_when: proration, free units, a pro-rated correction line, or a credit explain the difference; below 1 % of the units or
--   one unit of money
-- known_false_alarms: a PSA quantity raised by mistake
-- action: correct the recurring invoice and bill the months since the change
-- explanation: The PSA commits {customer} to {billable_contracted_quantity} of {service}, the invoice of {last_month} carries
--   {billed_quantity}: {leakage} {currency} in the quarter
-- owner: billing
WITH compared AS (
  SELECT fact.*, fact.expected_billed_revenue AS billed_at_contract,
         coalesce(fact.revenue, 0) + coalesce(fact.one_off_revenue, 0) AS billed
  FROM facts.fact_monthly AS fact
  JOIN facts.closed_month AS closed ON fact.customer_key = closed.customer_key AND fact.month <= closed.month
  WHERE fact.is_billed AND fact.is_contracted AND fact.price_model IN ('per_unit', 'tiered', 'flat_fee_overage')
)
SELECT customer_key, service_key, currency, month,
       least(expected_contracted_revenue - billed_at_contract, expected_revenue - least(billed, billed_at_contract)) AS amount,
       billable_contracted_quantity, billed_quantity, contract_price
FROM compared
WHERE billable_contracted_quantity - billed_quantity > 0.01 * billable_contracted_quantity
  AND expected_contracted_revenue - billed_at_contract >= 1
  AND expected_revenue - billed >= 1
