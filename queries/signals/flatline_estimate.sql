-- signal: flatline_estimate
-- title: A typed or estimated quantity is billed
-- question: Where is the billed quantity constant or round while what is delivered moves?
-- family: trend
-- basis: revenue
-- precedence: 47
-- grain: customer x service x month
-- reads: facts.fact_monthly, facts.closed_month, facts.billed_line
-- kernels: run_length, heaping, bh_adjust
-- fires_when: the billed quantity has been the same for four months or more, up to the quarter, while what should have been billed moved, by
--   more than 10 % of it, more than once; or its different values are multiples of 5 and 10 more often than by chance, lately or ever, or lately of 50, 100, 500 and so on (q <= 0.05
--   over all tested pairs), and off by 2 % in half of these months, while the delivered ones are not round
-- stays_silent_when: the delivered quantity lies within what was committed, included or the minimum, a fixed fee or a mark-up on cost was
--   agreed, it moved in one step (that is a change that was not billed), invoice and delivery count in different units and no contract
--   prices them, the month may still be billed, the estimate is too high
-- known_false_alarms: a service that is agreed in blocks of ten without its contract saying so
-- caused_by: contract_quantity_down, contract_quantity_up, source_migration, contract_began, delivery_began, first_record
-- action: bill the vendor's quantity instead of a typed one; settle the months since
-- explanation: {customer} is billed {billed_quantity} of {service} in {last_month}, {pattern}, while {least} to {most} were due in those
--   months{manual}: {leakage} {currency} in the quarter
-- owner: revenue operations
WITH month AS (
  SELECT fact.*, CAST(date_part('year', fact.month) * 12 + date_part('month', fact.month) AS BIGINT) AS x,
         fact.billable_quantity - lag(fact.billable_quantity)
           OVER (PARTITION BY fact.customer_key, fact.service_key, fact.currency ORDER BY fact.month) AS change
  FROM facts.fact_monthly AS fact
  JOIN facts.closed_month AS closed ON fact.customer_key = closed.customer_key AND fact.service_key = closed.service_key AND fact.month <= closed.month
  WHERE fact.month BETWEEN $window_start AND $last_month AND fact.is_billed AND fact.is_delivered AND NOT fact.is_trial
    AND fact.billed_quantity > 0 AND fact.price_model IN ('per_unit', 'tiered', 'flat_fee_overage', 'unpriced')
),
measured AS (
  SELECT customer_key, service_key, currency, run_length(x, billed_quantity) AS run, heaping(x, billed_quantity) AS digits,
         heaping(x, delivered_quantity) AS delivered_digits
  FROM month
  GROUP BY customer_key, service_key, currency
),
series AS (
  SELECT customer_key, service_key, currency, run['start'] AS run_start, run['length'] AS run_months, digits['p'] AS p_value,
         CASE WHEN digits['coarse'] >= 50 THEN digits['coarse_start'] WHEN digits['stretch'] >= 3 THEN digits['start'] ELSE 0 END AS round_start,
         CASE WHEN digits['coarse'] >= 50 THEN digits['coarse_stretch'] WHEN digits['stretch'] >= 3 THEN digits['stretch'] ELSE digits['fives'] END AS multiples,
         CASE WHEN digits['coarse'] >= 50 THEN digits['coarse_stretch'] WHEN digits['stretch'] >= 3 THEN digits['stretch'] ELSE digits['n'] END AS quantities,
         CASE WHEN digits['coarse'] >= 50 THEN digits['coarse'] ELSE 5 END AS scale,
         coalesce(delivered_digits['p'], 1.0) AS delivered_p
  FROM measured
),
moving AS (
  SELECT month.*, series.run_start, series.run_months,
         lag(month.change) OVER (PARTITION BY month.customer_key, month.service_key, month.currency ORDER BY month.month) AS change_before
  FROM month
  JOIN series
    ON month.customer_key = series.customer_key AND month.service_key = series.service_key AND month.currency = series.currency
  WHERE month.x >= series.run_start AND series.run_months >= 4
),
stuck AS (
  SELECT customer_key, service_key, currency, run_start, run_months, min(billable_quantity) AS least, max(billable_quantity) AS most
  FROM moving
  GROUP BY customer_key, service_key, currency, run_start, run_months
  HAVING max(month) >= $quarter_start AND max(billable_quantity) - min(billable_quantity) > 0.1 * max(billed_quantity)
    -- A change in the middle of a month shows as two movements the same way, one after the other: still one step.
    AND (count(*) FILTER (WHERE x > run_start AND abs(change) > 0.005 * billable_quantity) >= 3
      OR (count(*) FILTER (WHERE x > run_start AND abs(change) > 0.005 * billable_quantity) = 2
        AND count(*) FILTER (WHERE x > run_start + 1 AND exact_product(change, change_before) > 0) = 0))
    -- Without a contract's price invoice and vendor must at least count in the same units, at a price that stands.
    AND (max(price_model) <> 'unpriced' OR (
      median(exact_quotient(billable_quantity, billed_quantity)) BETWEEN 0.5 AND 2.0 AND max(billed_price) <= 1.1 * min(billed_price)))
),
heaped AS (
  SELECT *, bh_adjust(p_value) OVER () AS q_value FROM series
),
round AS (
  SELECT heaped.customer_key, heaped.service_key, heaped.currency, heaped.round_start, heaped.quantities, heaped.multiples, heaped.scale, heaped.p_value,
         heaped.q_value, min(month.billable_quantity) AS least, max(month.billable_quantity) AS most
  FROM heaped
  JOIN month
    ON heaped.customer_key = month.customer_key AND heaped.service_key = month.service_key AND heaped.currency = month.currency
    AND month.x >= heaped.round_start
  WHERE heaped.q_value <= $max_q AND heaped.delivered_p > 0.05
  GROUP BY heaped.customer_key, heaped.service_key, heaped.currency, heaped.round_start, heaped.quantities, heaped.multiples, heaped.scale, heaped.p_value,
           heaped.q_value
  HAVING max(month.billable_quantity) > 1.1 * min(month.billable_quantity)
    AND 2 * count(*) FILTER (WHERE abs(month.billable_quantity - month.billed_quantity) > 0.02 * month.billable_quantity) >= count(*)
),
line AS (
  SELECT customer_key, service_key, currency,
         CAST(round(100.0 * count(*) FILTER (WHERE kind = 'one_off') / count(*)) AS BIGINT) AS manual_percent
  FROM facts.billed_line
  WHERE month BETWEEN $window_start AND $last_month AND customer_key IS NOT NULL AND service_key IS NOT NULL
  GROUP BY customer_key, service_key, currency
),
judged AS (
  SELECT month.customer_key, month.service_key, month.currency, month.month, month.billed_quantity, month.billable_quantity,
         month.delivered_quantity, month.revenue, month.one_off_revenue, month.expected_revenue, month.price_model,
         CASE WHEN month.price_model = 'unpriced'
              THEN round_money(exact_product(month.billable_quantity - month.billed_quantity, month.billed_price), month.currency)
              ELSE month.expected_revenue - month.expected_billed_revenue END AS amount,
         CASE WHEN stuck.customer_key IS NULL THEN round.p_value END AS p_value,
         CASE WHEN stuck.customer_key IS NULL THEN round.q_value END AS q_value,
         coalesce(stuck.least, round.least) AS least, coalesce(stuck.most, round.most) AS most,
         CASE WHEN stuck.customer_key IS NOT NULL THEN 'the same for ' || stuck.run_months || ' months'
              ELSE round.multiples || ' of ' || round.quantities || ' different quantities multiples of ' || round.scale END AS pattern
  FROM month
  LEFT JOIN stuck
    ON month.customer_key = stuck.customer_key AND month.service_key = stuck.service_key AND month.currency = stuck.currency
  LEFT JOIN round
    ON month.customer_key = round.customer_key AND month.service_key = round.service_key AND month.currency = round.currency
  WHERE (stuck.customer_key IS NOT NULL AND month.x >= stuck.run_start) OR month.x >= round.round_start
)
SELECT judged.customer_key, judged.service_key, judged.currency, judged.month, judged.amount, judged.p_value, judged.q_value,
       judged.billed_quantity, judged.delivered_quantity, judged.least, judged.most, judged.pattern,
       coalesce(line.manual_percent, 0) AS manual_percent,
       CASE WHEN line.manual_percent > 0 THEN concat('; ', line.manual_percent, ' % of the lines are one-off lines') ELSE '' END AS manual
FROM judged
LEFT JOIN line
  ON judged.customer_key = line.customer_key AND judged.service_key = line.service_key AND judged.currency = line.currency
WHERE judged.amount >= 1
  AND (judged.price_model = 'unpriced'
    OR judged.expected_revenue - coalesce(judged.revenue, 0) - coalesce(judged.one_off_revenue, 0) >= 1)
