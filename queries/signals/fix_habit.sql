-- signal: fix_habit
-- title: Put right by hand, month after month
-- question: Where do one-off credits, adjustments and manual lines recur until they are normal?
-- family: trend
-- basis: revenue
-- precedence: 80
-- adds_to: expired_contract_served, unbilled_delivery, psa_change_not_billed, late_usage_not_rebilled, correction_not_passed_on,
--   underbilled_quantity, suspended_still_charged, usage_up_revenue_flat, discount_creep, flatline_estimate, arpu_decline, cost_charge_drift,
--   contract_terms_not_enforced
-- grain: customer x service x month
-- reads: facts.fact_monthly
-- fires_when: one-off lines or credits stand beside a service with recurring billing in three or more of the last six service months
-- stays_silent_when: a single project invoice or service credit, services that are only ever billed by one-off lines (projects, hardware),
--   a credit that pays back the days after a change of the quantity, so that the month comes to what was expected
-- known_false_alarms: a monthly rebate that was agreed and is paid by credit note
-- caused_by: source_migration, renewal, contract_quantity_up, contract_quantity_down, first_record
-- action: find what the lines put right, and put it right where it arises: contract, quantity or price
-- explanation: {service} of {customer} was put right by hand in {fixed_months} of the six months to {newest_month}, by one-off lines and
--   credits of {net} {currency} net; {leakage} {currency} of it was given away in the quarter
-- owner: billing
WITH month AS (
  SELECT *, lag(billable_quantity) OVER (PARTITION BY customer_key, service_key, currency ORDER BY month) AS billable_before,
         coalesce(one_off_revenue, 0) + coalesce(credit, 0) AS beside
  FROM facts.fact_monthly
  WHERE month <= $last_month
),
fixed AS (
  SELECT *, greatest(beside, CAST(0 AS DECIMAL(38, 18))) AS gained,
         -- What only takes back an over-charge costs nothing.
         greatest(least(-beside, coalesce(expected_revenue - coalesce(revenue, 0) - beside, -beside)), CAST(0 AS DECIMAL(38, 18))) AS lost
  FROM month
  WHERE (coalesce(one_off_revenue, 0) <> 0 OR coalesce(credit, 0) <> 0)
    AND NOT (is_billed AND coalesce(one_off_revenue, 0) = 0 AND (billable_quantity IS DISTINCT FROM billable_before)
             AND coalesce(abs(expected_revenue - coalesce(revenue, 0) - beside) < 1, false))
),
recurring AS (
  SELECT DISTINCT customer_key, service_key, currency
  FROM facts.fact_monthly WHERE is_billed AND month BETWEEN $window_start AND $last_month
),
habit AS (
  SELECT fixed.customer_key, fixed.service_key, fixed.currency, count(*) AS fixed_months, sum(fixed.beside) AS net,
         to_char(CAST($last_month AS DATE), '%Y-%m') AS newest_month
  FROM fixed
  JOIN recurring
    ON fixed.customer_key = recurring.customer_key AND fixed.service_key = recurring.service_key AND fixed.currency = recurring.currency
  WHERE fixed.month > $last_month - INTERVAL '6 months'
  GROUP BY fixed.customer_key, fixed.service_key, fixed.currency
  HAVING count(*) >= 3
),
-- What manual lines brought in is set off against what credits gave away, earliest first, quarter by quarter: the months sum to the net.
running AS (
  SELECT fixed.*, habit.fixed_months, habit.net, habit.newest_month,
         sum(lost) OVER (PARTITION BY fixed.customer_key, fixed.service_key, fixed.currency, date_trunc('quarter', fixed.month)
                         ORDER BY fixed.month) AS lost_so_far,
         sum(gained) OVER (PARTITION BY fixed.customer_key, fixed.service_key, fixed.currency, date_trunc('quarter', fixed.month)) AS gained_in_all
  FROM fixed
  JOIN habit
    ON fixed.customer_key = habit.customer_key AND fixed.service_key = habit.service_key AND fixed.currency = habit.currency
)
SELECT customer_key, service_key, currency, month,
       greatest(lost_so_far - gained_in_all, CAST(0 AS DECIMAL(38, 18)))
         - greatest(lost_so_far - lost - gained_in_all, CAST(0 AS DECIMAL(38, 18))) AS amount,
       one_off_revenue, credit, revenue, fixed_months, net, newest_month
FROM running
