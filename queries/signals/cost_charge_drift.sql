-- signal: cost_charge_drift
-- title: Vendor cost rises, the charge does not follow
-- question: Where does a unit cost more and more of what it is charged at?
-- family: trend
-- basis: cost
-- precedence: 60
-- grain: customer x service x month
-- reads: facts.trend_test, facts.trend_input
-- kernels: bh_adjust
-- fires_when: cost by charge rises (trend, step or quarter against baseline, see facts/trend_test.sql; q <= 0.05 over all tested pairs)
--   by at least 3 %; per unit where units are priced
-- stays_silent_when: the price was raised with the cost, the contract records a lower price, only the exchange rate moved (the ratio is
--   taken in the vendor's currency), the series is shorter than six months
-- known_false_alarms: a vendor promotion that ends looks like a rise unless it began within the window
-- caused_by: vendor_price_up, contract_price_down, renewal, source_migration, first_record
-- action: pass the price on at renewal, or change the vendor plan
-- explanation: A unit of {service} costs {customer}'s account more each month while the charge stays: {leakage} {currency} of cost in
--   the quarter is above what the margin before would have allowed (cost {cost} {currency} in {last_month})
-- owner: vendor management
WITH tested AS (
  SELECT *, bh_adjust(p_value) OVER () AS q_value
  FROM facts.trend_test WHERE measure = 'cost_per_charge'
),
hit AS (
  SELECT *, line['slope'] AS slope, line['slope_low'] AS slope_low, line['slope_high'] AS slope_high,
         CAST(last_month_as_high_as_before + INTERVAL '1 month' AS DATE) AS change_month
  FROM tested
  WHERE q_value <= $max_q AND moved >= 0.03
),
cell AS (
  SELECT hit.*, input.month, input.cost, input.revenue,
         CASE WHEN input.price_model = 'per_unit' THEN exact_product(input.delivered_quantity, input.levelled_price) ELSE input.revenue END
           AS charge,
         input.cost_original, exact_quotient(input.cost, input.cost_original) AS rate
  FROM hit
  JOIN facts.trend_input AS input
    ON hit.customer_key = input.customer_key AND hit.service_key = input.service_key AND hit.currency = input.currency
  WHERE input.month >= hit.change_month AND input.cost_per_charge IS NOT NULL
)
SELECT customer_key, service_key, currency, month,
       round_money(exact_product(cost_original - exact_product(charge, level), rate), currency) AS amount,
       round_money(exact_product(cost_original - exact_product(charge, level_high), rate), currency) AS amount_low,
       round_money(exact_product(cost_original - exact_product(charge, level_low), rate), currency) AS amount_high,
       p_value, q_value, slope, slope_low, slope_high, change_month, cost, revenue
FROM cell
WHERE cost_original > 1.02 * exact_product(charge, level)
