-- signal: discount_creep
-- title: The billed price slides under the agreed one
-- question: Where does the invoice charge less and less for a unit than the contract says?
-- family: trend
-- basis: revenue
-- precedence: 38
-- adds_to: psa_change_not_billed, late_usage_not_rebilled, correction_not_passed_on, underbilled_quantity
-- grain: customer x service x month
-- reads: facts.trend_test, facts.trend_input, facts.trend_baseline, facts.old_price_month
-- kernels: bh_adjust
-- fires_when: what was billed, by what the same quantity comes to at the contract's terms, falls (trend, step, or quarter against baseline,
--   see facts/trend_test.sql; q <= 0.05 over all tested pairs) by at least 2 %; or it was the contract's price to half a percent for three
--   months or more, and since then, for three months or more, has only gone down, to at least 2 % under it: two exact prices need no test
-- stays_silent_when: the contract records the cut, a discount has been the same throughout the window, units are missing (the same quantity
--   is priced twice, so that proration, free units and price changes within a month cancel), a fixed fee or no price was agreed, a manual
--   line made up for it, the series is shorter than six months
--   In months whose invoice carries the PSA's price from before a rise psa_change_not_billed speaks
-- known_false_alarms: a price cut that was agreed and never entered in the PSA; a rise by a written term that the invoice did not follow is
--   found too, as the price of a unit under the contract's is the same loss
-- caused_by: contract_price_up, renewal, escalator, list_price_up, source_migration, first_record
-- action: compare the invoice's unit price with the contract; end the discount or enter it in the PSA with its end
-- explanation: {service} of {customer} was charged at {paid} {currency} {paid_for} in {last_month}, by the contract it is {due}; before {change}
--   {share_before} % of the contract's price was paid, now {share_now} %: {leakage} {currency} in the quarter
-- owner: finance
WITH tested AS (
  SELECT *, bh_adjust(p_value) OVER () AS q_value
  FROM facts.trend_test WHERE measure = 'billed_by_contract'
),
-- Two prices that are both on record have no noise: once they have parted and only part further, no statistic is needed.
followed AS (
  SELECT customer_key, service_key, currency, month, billed_by_contract AS y,
         lag(billed_by_contract) OVER (PARTITION BY customer_key, service_key, currency ORDER BY month) AS y_before,
         max(CASE WHEN billed_by_contract >= -0.005 THEN month END) OVER (PARTITION BY customer_key, service_key, currency) AS last_agreed,
         last_value(billed_by_contract) OVER (PARTITION BY customer_key, service_key, currency ORDER BY month
                                              ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS y_last
  FROM facts.trend_input WHERE billed_by_contract IS NOT NULL
),
parted AS (
  SELECT customer_key, service_key, currency
  FROM followed
  WHERE y_last <= -0.02
  GROUP BY customer_key, service_key, currency
  HAVING count(*) FILTER (WHERE month <= last_agreed AND abs(y) <= 0.005) >= 3
    AND count(*) FILTER (WHERE month <= last_agreed AND abs(y) > 0.005) = 0
    AND count(*) FILTER (WHERE month > last_agreed) >= 3
    AND count(*) FILTER (WHERE month > last_agreed AND y > y_before + 0.002) = 0
),
named AS (
  SELECT tested.customer_key, tested.service_key, tested.currency, tested.p_value, tested.q_value, baseline.level, baseline.level_low,
         baseline.y_low, line['slope'] AS slope, line['slope_low'] AS slope_low, line['slope_high'] AS slope_high
  FROM tested
  JOIN facts.trend_baseline AS baseline
    ON tested.customer_key = baseline.customer_key AND tested.service_key = baseline.service_key
    AND tested.currency = baseline.currency AND tested.measure = baseline.measure
  LEFT JOIN parted
    ON tested.customer_key = parted.customer_key AND tested.service_key = parted.service_key AND tested.currency = parted.currency
  WHERE parted.customer_key IS NOT NULL OR (tested.q_value <= $max_q AND tested.moved >= 0.02)
),
-- Two thousandths are rounding of invoices; the slide begins after the last month at the agreed price, or, where a discount always was, that
-- was as dear as the cheapest one of before.
hit AS (
  SELECT named.customer_key, named.service_key, named.currency, named.p_value, named.q_value, named.level, named.level_low,
         named.slope, named.slope_low, named.slope_high,
         CAST(coalesce(max(CASE WHEN abs(input.billed_by_contract) <= 0.002 THEN input.month END),
                       max(CASE WHEN input.billed_by_contract >= named.y_low - 0.002 THEN input.month END),
                       CAST(CAST($window_start AS DATE) - INTERVAL '1 month' AS DATE)) + INTERVAL '1 month' AS DATE) AS change_month
  FROM named
  JOIN facts.trend_input AS input
    ON named.customer_key = input.customer_key AND named.service_key = input.service_key AND named.currency = input.currency
  WHERE input.billed_by_contract IS NOT NULL
  GROUP BY named.customer_key, named.service_key, named.currency, named.p_value, named.q_value, named.level, named.level_low,
           named.slope, named.slope_low, named.slope_high
),
cell AS (
  SELECT hit.*, input.month, input.billed_quantity, input.billed_price, input.contract_price, input.levelled_revenue AS revenue, input.expected_billed_revenue,
         input.expected_billed_revenue - input.levelled_revenue - greatest(coalesce(input.one_off_revenue, 0), CAST(0 AS DECIMAL(38, 18))) AS amount
  FROM hit
  JOIN facts.trend_input AS input
    ON hit.customer_key = input.customer_key AND hit.service_key = input.service_key AND hit.currency = input.currency
  LEFT JOIN facts.old_price_month AS old
    ON input.customer_key = old.customer_key AND input.service_key = old.service_key AND input.currency = old.currency AND input.month = old.month
  WHERE input.month >= hit.change_month AND input.billed_by_contract IS NOT NULL AND old.customer_key IS NULL
    AND input.levelled_revenue < 0.99 * input.expected_billed_revenue
)
-- The whole difference to the contract is owed; its lower end is what the slide alone has cost, where the price lay under it before.
SELECT customer_key, service_key, currency, month, amount,
       round_money(exact_product(expected_billed_revenue, level_low) - revenue, currency) AS amount_low, amount AS amount_high,
       p_value, q_value, slope, slope_low, slope_high, change_month,
       billed_quantity, billed_price, contract_price, revenue, expected_billed_revenue,
       to_char(change_month, '%Y-%m') AS change,
       CAST(round(100.0 * CAST(level AS DOUBLE), 1) AS DECIMAL(9, 1)) AS share_before,
       CAST(round(100.0 * CAST(exact_quotient(revenue, expected_billed_revenue) AS DOUBLE), 1) AS DECIMAL(9, 1)) AS share_now,
       -- The price of a unit tells it, unless it is a fee, a minimum or a tier that is missing.
       CASE WHEN billed_price < 0.995 * contract_price THEN 'a unit' ELSE 'for the billed quantity' END AS paid_for,
       CASE WHEN billed_price < 0.995 * contract_price THEN billed_price ELSE revenue END AS paid,
       CASE WHEN billed_price < 0.995 * contract_price THEN contract_price ELSE expected_billed_revenue END AS due
FROM cell
WHERE amount >= 1
