-- signal: suspended_still_charged
-- title: Suspended, and still paid for
-- question: Which suspended, cancelled or removed users, devices and seats does a vendor still charge for, or the customer still pay for?
-- family: seam
-- basis: cost
-- precedence: 33
-- adds_to: expired_contract_served, unbilled_delivery, psa_change_not_billed, late_usage_not_rebilled, correction_not_passed_on, underbilled_quantity
-- grain: customer x service x month x whose money it is
-- reads: facts.fact_monthly, facts.gap_part
-- fires_when: the vendor's quantity is above those who are active and above what the PSA still lists, while there are suspended ones (cost:
--   their share of the vendor's charge); or the invoice carries more units than are due while there are suspended ones (overbilling: at
--   most their price), in this month and in the one before or after it
-- stays_silent_when: the vendor has released them, the PSA still lists them (the customer owes what it committed to), neither a complete
--   list of users nor a contract tells who is left, the amount is below one unit of money; a
--   month's invoice that was written before a seat was given up, if the next one follows
-- known_false_alarms: vendors release seats only at the end of their term: the cost is real, but may not be stopped before
-- caused_by: suspended, cancelled, first_record
-- action: release the seats with the vendor, or resume and bill them; return what the customer paid for them
-- explanation: {suspended_subjects} suspended of {service} at {customer} go on being {charged} in {last_month}: {money} {currency} in the quarter
-- owner: vendor management
WITH overbilled AS (
  SELECT fact.customer_key, fact.service_key, fact.currency, fact.month, fact.suspended_subjects, fact.suspended_charged_quantity,
         fact.reported_quantity, fact.cost,
         least(-part.amount, round_money(exact_product(fact.suspended_subjects, fact.contract_price), fact.currency)) AS amount
  FROM facts.gap_part AS part
  JOIN facts.fact_monthly AS fact
    ON part.customer_key = fact.customer_key AND part.service_key = fact.service_key AND part.month = fact.month AND part.currency = fact.currency
  WHERE part.cause = 'overbilled_quantity' AND part.gap <= -1 AND fact.suspended_subjects > 0
),
lasting AS (
  SELECT *, lag(month) OVER pair AS month_before, lead(month) OVER pair AS month_after FROM overbilled
  WHERE amount >= 1
  WINDOW pair AS (PARTITION BY customer_key, service_key, currency ORDER BY month)
)
SELECT customer_key, service_key, currency, month,
       round_money(exact_quotient(exact_product(cost, suspended_charged_quantity), reported_quantity), currency) AS amount, 'cost' AS basis, 'charged by the vendor' AS charged,
       suspended_subjects, suspended_charged_quantity, reported_quantity, cost
FROM facts.fact_monthly
WHERE suspended_charged_quantity > 0 AND reported_quantity > 0
  AND round_money(exact_quotient(exact_product(cost, suspended_charged_quantity), reported_quantity), currency) >= 1
UNION ALL
SELECT customer_key, service_key, currency, month, amount, 'overbilling', 'billed to the customer', suspended_subjects, suspended_charged_quantity, reported_quantity, cost
FROM lasting
WHERE month_before = month - INTERVAL '1 month' OR month_after = month + INTERVAL '1 month'
