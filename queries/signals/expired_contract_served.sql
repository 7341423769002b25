-- signal: expired_contract_served
-- title: The contract ended, the service goes on
-- question: What is still delivered, or still costs money, after its contract line ended, and is billed to nobody?
-- family: seam
-- basis: revenue
-- precedence: 5
-- grain: customer x service x month
-- reads: facts.expired_month, facts.gap_part, facts.fact_monthly, facts.yield_history
-- fires_when: every PSA contract line of the service had ended before the month, vendors still show a delivery or a cost, and no invoice
--   line of any kind covers the month; in the month of the end, the days after the last one that was billed. Priced by written terms that go on, else at the last agreed price, else at what a unit earned in
--   billed months; what is not delivered any more, at its cost
-- stays_silent_when: the lines were never billable, the month is billed all the same (then
--   orphan_billing speaks), billing of the month has not run yet
-- known_false_alarms: a vendor's term that outlasts the customer's contract by a month or two
-- caused_by: contract_ended, first_record
-- action: renew the contract and bill the months since its end, or cancel the service with the vendor
-- explanation: The last contract line for {service} at {customer} ended with {contracted_until}, {served} go on and no invoice line covers them:
--   {months} months of the quarter, {leakage} {currency}
-- owner: account management
WITH served AS (
  SELECT fact.customer_key, fact.service_key, fact.currency, fact.month, fact.delivered_quantity, fact.cost, fact.is_delivered,
         expired.contracted_until, expired.last_price,
         coalesce(CASE WHEN fact.is_billed
                       THEN round_money(exact_product(exact_product(fact.delivered_quantity, expired.last_price),
                                                      exact_quotient(CAST(expired.open_days AS DECIMAL(38, 18)),
                                                                     CAST(CAST(fact.month + INTERVAL '1 month' AS DATE) - fact.month AS DECIMAL(38, 18)))),
                                        fact.currency) END,
                  part.amount,
                  CASE WHEN fact.is_delivered
                       THEN round_money(exact_product(fact.delivered_quantity, coalesce(expired.last_price, yield.revenue_per_unit)), fact.currency) END,
                  round_money(fact.cost, fact.currency)) AS amount
  FROM facts.expired_month AS expired
  JOIN facts.fact_monthly AS fact
    ON expired.customer_key = fact.customer_key AND expired.service_key = fact.service_key AND expired.month = fact.month
    AND expired.currency = fact.currency
  LEFT JOIN facts.gap_part AS part
    ON fact.customer_key = part.customer_key AND fact.service_key = part.service_key AND fact.month = part.month AND fact.currency = part.currency
    AND part.cause = 'unbilled_delivery'
  LEFT JOIN facts.yield_history AS yield
    ON fact.customer_key = yield.customer_key AND fact.service_key = yield.service_key AND fact.currency = yield.currency
)
SELECT customer_key, service_key, currency, month, amount, delivered_quantity, cost, last_price,
       substr(CAST(contracted_until AS VARCHAR), 1, 7) AS contracted_until,
       CASE WHEN is_delivered THEN 'deliveries' ELSE 'costs' END AS served
FROM served
WHERE amount >= 1
